package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/flux-handover/engine/internal/protocol"
)

// Limits of one build. They bound what a repository can make the engine do, not what a cluster holds:
// the largest known Kustomization has a few thousand objects.
const (
	MaxObjects   = 50_000
	MaxSeconds   = 60 * time.Second
	maxNodes     = 2_000_000
	maxDepth     = 500
	suspectNodes = maxDepth
)

// checkExpansion refuses a file whose aliases multiply, or that is nested too deeply, before kustomize
// expands it. Only files that could be either are parsed for it.
func checkExpansion(content []byte) error {
	aliased := bytes.IndexByte(content, '&') >= 0 && bytes.IndexByte(content, '*') >= 0
	if !aliased && !deepLooking(content) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			// kustomize parses it again, and says what is wrong.
			return nil
		}
		if err := (&expansion{sizes: map[*yaml.Node]int{}}).check(&document); err != nil {
			return err
		}
	}
}

func deepLooking(content []byte) bool {
	if bytes.Count(content, []byte("[")) > suspectNodes || bytes.Count(content, []byte("{")) > suspectNodes {
		return true
	}
	if bytes.Count(content, []byte("- - - - - - - -")) > suspectNodes/8 {
		return true
	}
	return bytes.Contains(content, bytes.Repeat([]byte(" "), suspectNodes))
}

// expansion counts the nodes that a document has once its aliases are written out.
type expansion struct {
	sizes map[*yaml.Node]int
}

func (e *expansion) check(document *yaml.Node) error {
	size, err := e.size(document, 0)
	if err == nil && size > maxNodes {
		err = tooLarge("it has more than %d values once its aliases are written out", maxNodes)
	}
	return err
}

func (e *expansion) size(node *yaml.Node, depth int) (int, error) {
	if depth > maxDepth {
		return 0, tooLarge("it is nested more than %d levels deep", maxDepth)
	}
	if known, ok := e.sizes[node]; ok {
		return known, nil
	}
	if node.Kind == yaml.AliasNode {
		return e.size(node.Alias, depth+1)
	}
	total := 1
	for _, child := range node.Content {
		size, err := e.size(child, depth+1)
		if err != nil {
			return 0, err
		}
		total = min(total+size, maxNodes+1)
	}
	e.sizes[node] = total
	return total, nil
}

func tooLarge(format string, args ...any) error {
	return &protocol.Error{Code: protocol.LimitExceeded, Message: fmt.Sprintf(format, args...)}
}
