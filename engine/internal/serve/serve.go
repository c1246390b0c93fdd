// Package serve answers requests, one line each.
package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/substitute"
	"github.com/flux-handover/engine/internal/tree"
)

// MaxRequest is the size of the longest line that is read.
const MaxRequest = 1 << 30

// Lines answers every line of the input until it ends: what is stored at once, so that the next line can name it,
// and everything else beside what comes after it. It returns build.Stuck after the response to a request whose build
// did not end: nothing can stop it, and it holds the schema of all builds. What was begun before is answered still.
func Lines(version string, input io.Reader, output io.Writer) error {
	session := &session{server: New(version), writer: bufio.NewWriterSize(output, 1<<20), ended: make(chan error, 1)}
	go session.read(bufio.NewReaderSize(input, 1<<20))
	err := <-session.ended
	session.finish()
	return err
}

// session is one input with its output. Requests are begun in order, and answered as soon as each is done.
type session struct {
	server  *Server
	writing sync.Mutex
	writer  *bufio.Writer
	ended   chan error
	// beginning guards closed: after it no request is begun, so that those that run can be waited for.
	beginning sync.Mutex
	closed    bool
	running   sync.WaitGroup
}

func (s *session) read(reader *bufio.Reader) {
	for {
		line, err := readLine(reader)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			s.end(nil)
			return
		}
		if err != nil && !errors.Is(err, io.EOF) {
			s.end(err)
			return
		}
		if len(bytes.TrimSpace(line)) > 0 {
			s.begin(line)
		}
	}
}

func (s *session) begin(line []byte) {
	var request protocol.Request
	if err := json.Unmarshal(line, &request); err != nil {
		s.write(protocol.Response{Error: &protocol.Error{Code: protocol.InvalidRequest, Message: "the request is not readable: " + err.Error()}})
		return
	}
	s.beginning.Lock()
	defer s.beginning.Unlock()
	switch {
	case s.closed:
	case request.Method == "store":
		s.answer(request)
	default:
		s.running.Go(func() { s.answer(request) })
	}
}

func (s *session) answer(request protocol.Request) {
	response, stuck := s.server.Answer(request)
	s.write(response)
	if stuck {
		s.end(build.Stuck{})
	}
}

// write puts a response on the output, whole.
func (s *session) write(response protocol.Response) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := write(s.writer, response); err != nil {
		s.end(err)
	}
}

// end says that nothing more is to be read; the first reason counts.
func (s *session) end(reason error) {
	select {
	case s.ended <- reason:
	default:
	}
}

// finish waits for the requests that were begun.
func (s *session) finish() {
	s.beginning.Lock()
	s.closed = true
	s.beginning.Unlock()
	s.running.Wait()
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

// Server answers requests, several at a time; what it keeps between them is named by digests.
type Server struct {
	version string
	store   *tree.Store
}

// New is a server that has stored nothing.
func New(version string) *Server {
	return &Server{version: version, store: tree.NewStore()}
}

// Answer is the response to a request; the second value says that the process must end after it.
func (s *Server) Answer(request protocol.Request) (protocol.Response, bool) {
	response := protocol.Response{ID: request.ID}
	var stuck bool
	var err error
	switch request.Method {
	case "hello":
		response.Version, response.Protocol = s.version, protocol.Version
		response.Kustomize, response.FluxKustomize = protocol.Kustomize, protocol.FluxKustomize
	case "store":
		err = s.store.Add(request)
	case "build":
		stuck, err = s.buildAll(request, &response)
	case "kustomize":
		stuck, err = s.buildDirectory(request, &response)
	case "substitute":
		response.Results = substituteAll(request.Sets)
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

func (s *Server) builderOf(request protocol.Request) (*build.Builder, error) {
	files, err := s.treeOf(request)
	if err != nil {
		return nil, err
	}
	known := map[string]*tree.Tree{}
	for reference, digest := range request.Known {
		if known[reference], err = s.store.Tree(digest); err != nil {
			return nil, err
		}
	}
	return &build.Builder{
		Tree:    files,
		Network: remote.New(request.AllowNetwork),
		Limits:  build.Narrowed(request.Limits),
		Known:   known,
	}, nil
}

func (s *Server) treeOf(request protocol.Request) (*tree.Tree, error) {
	if request.TreeDigest != "" {
		return s.store.Tree(request.TreeDigest)
	}
	return tree.New(request.Tree)
}

func (s *Server) buildAll(request protocol.Request, response *protocol.Response) (bool, error) {
	builder, err := s.builderOf(request)
	if err != nil {
		return false, err
	}
	results := abandoned(request.Builds)
	var stuck atomic.Bool
	parallel(len(request.Builds), workers(request), func(i int) bool {
		result, err := builder.Kustomization(request.Builds[i])
		results[i] = result
		if err != nil {
			stuck.Store(true)
		}
		return !stuck.Load()
	})
	response.Results = results
	return stuck.Load(), nil
}

// workers are as many as the machine has processors. What a request fetches is fetched once, by one.
func workers(request protocol.Request) int {
	if request.AllowNetwork {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// parallel calls a function for each index, in order of the indices but several at a time, until one returns false.
func parallel(count, workers int, do func(int) bool) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(count, workers) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				if !do(i) {
					return
				}
			}
		})
	}
	running.Wait()
}

func substituteAll(sets []protocol.Set) []protocol.SetResult {
	results := make([]protocol.SetResult, len(sets))
	parallel(len(sets), runtime.GOMAXPROCS(0), func(i int) bool {
		results[i] = substitute.Set(sets[i])
		return true
	})
	return results
}

// abandoned are the results of builds that are not begun because one before them is stuck.
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

func (s *Server) buildDirectory(request protocol.Request, response *protocol.Response) (bool, error) {
	builder, err := s.builderOf(request)
	if err != nil {
		return false, err
	}
	result, err := builder.Directory(request.Path)
	response.Objects, response.Reads, response.Remotes = result.Objects, result.Reads, result.Remotes
	response.Damaged, response.Error = result.Damaged, result.Error
	return err != nil, nil
}
