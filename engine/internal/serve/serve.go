// Package serve answers requests, one line each.
package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/substitute"
	"github.com/flux-handover/engine/internal/tree"
)

// MaxRequest is the size of the longest line that is read.
const MaxRequest = 1 << 30

// Lines answers every line of the input until it ends. It returns build.Stuck after the response to a
// request whose build did not end: nothing can stop it, and it holds the schema of all builds.
func Lines(version string, input io.Reader, output io.Writer) error {
	reader := bufio.NewReaderSize(input, 1<<20)
	writer := bufio.NewWriterSize(output, 1<<20)
	for {
		line, err := readLine(reader)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		response, stuck := answerLine(version, line)
		if err := write(writer, response); err != nil {
			return err
		}
		if stuck {
			return build.Stuck{}
		}
	}
}

func readLine(reader *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxRequest {
			return nil, fmt.Errorf("a request is larger than %d bytes", MaxRequest)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

func write(writer *bufio.Writer, response protocol.Response) error {
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		return err
	}
	return writer.Flush()
}

func answerLine(version string, line []byte) (protocol.Response, bool) {
	var request protocol.Request
	if err := json.Unmarshal(line, &request); err != nil {
		return protocol.Response{Error: &protocol.Error{Code: protocol.InvalidRequest, Message: "the request is not readable: " + err.Error()}}, false
	}
	return Answer(version, request)
}

// Answer is the response to a request; the second value says that the process must end after it.
func Answer(version string, request protocol.Request) (protocol.Response, bool) {
	response := protocol.Response{ID: request.ID}
	var stuck bool
	var err error
	switch request.Method {
	case "hello":
		response.Version, response.Protocol = version, protocol.Version
		response.Kustomize, response.FluxKustomize = protocol.Kustomize, protocol.FluxKustomize
	case "build":
		stuck, err = buildAll(request, &response)
	case "kustomize":
		stuck, err = buildDirectory(request, &response)
	case "substitute":
		results := make([]protocol.SetResult, len(request.Sets))
		for i, set := range request.Sets {
			results[i] = substitute.Set(set)
		}
		response.Results = results
	default:
		err = &protocol.Error{Code: protocol.UnsupportedProtocol, Message: fmt.Sprintf("the engine has no method %q", request.Method)}
	}
	if err != nil {
		response.Error = asError(err)
	}
	return response, stuck
}

func asError(err error) *protocol.Error {
	var known *protocol.Error
	if errors.As(err, &known) {
		return known
	}
	return &protocol.Error{Code: protocol.BuildFailed, Message: err.Error()}
}

func builderOf(request protocol.Request) (*build.Builder, error) {
	files, err := tree.New(request.Tree)
	if err != nil {
		return nil, err
	}
	return &build.Builder{
		Tree:    files,
		Network: remote.New(request.AllowNetwork),
		Limits:  build.Narrowed(request.Limits),
	}, nil
}

func buildAll(request protocol.Request, response *protocol.Response) (bool, error) {
	builder, err := builderOf(request)
	if err != nil {
		return false, err
	}
	results := make([]protocol.BuildResult, 0, len(request.Builds))
	for i, requested := range request.Builds {
		result, err := builder.Kustomization(requested)
		results = append(results, result)
		if err != nil {
			response.Results = append(results, abandoned(request.Builds[i+1:])...)
			return true, nil
		}
	}
	response.Results = results
	return false, nil
}

// abandoned are the results of builds behind one that is stuck.
func abandoned(builds []protocol.Build) []protocol.BuildResult {
	results := make([]protocol.BuildResult, len(builds))
	for i, requested := range builds {
		results[i] = protocol.BuildResult{
			Key: requested.Key, Objects: []json.RawMessage{}, Reads: []string{}, Remotes: []string{},
			Error: &protocol.Error{Code: protocol.LimitExceeded, Message: "not built: a build before it did not end"},
		}
	}
	return results
}

func buildDirectory(request protocol.Request, response *protocol.Response) (bool, error) {
	builder, err := builderOf(request)
	if err != nil {
		return false, err
	}
	result, err := builder.Directory(request.Path)
	response.Objects, response.Reads, response.Remotes = result.Objects, result.Reads, result.Remotes
	response.Damaged, response.Error = result.Damaged, result.Error
	return err != nil, nil
}
