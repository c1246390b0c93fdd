// Package tree is the file system that kustomize sees: the files of one request, in memory,
// and nothing else. No path leaves it, no link leads out of it, and it writes to no disk.
package tree

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/flux-handover/engine/internal/protocol"
)

// Root is where the tree is mounted. The name is unlikely in a repository, so that it can be
// taken out of messages, and it is not `/`, so that an absolute path is outside.
const Root = "/@tree"

// Limits of a tree; a larger file is omitted, a larger tree is refused.
const (
	MaxFiles    = 100_000
	MaxFileSize = 16 << 20
)

type kind int

const (
	file kind = iota
	directory
	link
	omitted
)

type entry struct {
	kind     kind
	blob     *Blob
	target   string
	reason   string
	children []string
}

// Tree is immutable and shared by the builds of all requests that name it.
type Tree struct {
	entries map[string]*entry
}

// New checks every path of a request's tree and indexes its directories.
func New(request *protocol.Tree) (*Tree, error) {
	if request == nil {
		request = &protocol.Tree{}
	}
	entries := map[string]*entry{}
	sources := sources{links: request.Links, omitted: request.Omitted}
	for p, text := range request.Files {
		entries[p] = fileEntry(NewBlob([]byte(text)))
	}
	sources.files = append(sources.files, entries)
	binaries := map[string]*entry{}
	for p, content := range request.Binary {
		binaries[p] = fileEntry(NewBlob(content))
	}
	sources.files = append(sources.files, binaries)
	return sources.tree()
}

// sources are the entries of a tree by the kind that the request gives them.
type sources struct {
	files   []map[string]*entry
	links   map[string]string
	omitted map[string]string
}

// tree adds in order of the paths, so that the first error is always the same.
func (s sources) tree() (*Tree, error) {
	count := len(s.links) + len(s.omitted)
	for _, files := range s.files {
		count += len(files)
	}
	if count > MaxFiles {
		return nil, &protocol.Error{
			Code:    protocol.LimitExceeded,
			Message: fmt.Sprintf("the tree has %d files, more than %d", count, MaxFiles),
		}
	}
	t := &Tree{entries: make(map[string]*entry, count*2)}
	t.entries[Root] = &entry{kind: directory}
	if err := t.addAll(s); err != nil {
		return nil, err
	}
	for _, e := range t.entries {
		sort.Strings(e.children)
	}
	return t, nil
}

func (t *Tree) addAll(s sources) error {
	for _, files := range s.files {
		for _, p := range slices.Sorted(maps.Keys(files)) {
			if err := t.add(p, files[p]); err != nil {
				return err
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(s.links)) {
		if err := t.add(p, &entry{kind: link, target: s.links[p]}); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(s.omitted)) {
		if err := t.add(p, &entry{kind: omitted, reason: s.omitted[p]}); err != nil {
			return err
		}
	}
	return nil
}

func fileEntry(blob *Blob) *entry {
	if len(blob.content) > MaxFileSize {
		return &entry{kind: omitted, reason: fmt.Sprintf("larger than %d bytes", MaxFileSize)}
	}
	return &entry{kind: file, blob: blob}
}

func (t *Tree) add(relative string, e *entry) error {
	if relative == "" || path.IsAbs(relative) || path.Clean(relative) != relative || strings.HasPrefix(relative, "../") ||
		relative == "." || relative == ".." || strings.ContainsRune(relative, 0) {
		return &protocol.Error{
			Code:    protocol.InvalidRequest,
			Message: fmt.Sprintf("%q is not the path of a file in the tree", relative),
		}
	}
	absolute := Root + "/" + relative
	if _, taken := t.entries[absolute]; taken {
		return &protocol.Error{
			Code:    protocol.InvalidRequest,
			Message: fmt.Sprintf("%q is in the tree more than once", relative),
		}
	}
	t.entries[absolute] = e
	return t.adopt(absolute)
}

// adopt enters a new entry in its parent, and makes the directories above it.
func (t *Tree) adopt(absolute string) error {
	for child := absolute; child != Root; child = path.Dir(child) {
		above := path.Dir(child)
		parent, known := t.entries[above]
		if !known {
			parent = &entry{kind: directory}
			t.entries[above] = parent
		}
		if parent.kind != directory {
			return &protocol.Error{
				Code:    protocol.InvalidRequest,
				Message: fmt.Sprintf("%q is a file and has files below it", Relative(above)),
			}
		}
		parent.children = append(parent.children, path.Base(child))
		if known {
			return nil
		}
	}
	return nil
}

// Relative is the path as the repository knows it; the top is `.`.
func Relative(absolute string) string {
	if absolute == Root {
		return "."
	}
	return strings.TrimPrefix(absolute, Root+"/")
}

// Readable is a message of a library with the mount taken out of its paths.
func Readable(message string) string {
	return strings.ReplaceAll(strings.ReplaceAll(message, Root+"/", ""), Root, ".")
}
