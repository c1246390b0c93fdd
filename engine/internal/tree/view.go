package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/flux-handover/engine/internal/protocol"
)

// maxLinks is how many links a path may lead through, as Linux has it.
const maxLinks = 40

// OmittedError says that a file is there, but its content was not sent.
type OmittedError struct {
	Path   string
	Reason string
}

func (e *OmittedError) Error() string {
	return fmt.Sprintf("the content of %s is not known: %s", e.Path, e.Reason)
}

// EscapeError says that a path or a link leads out of the tree. kustomize-controller confines
// a build to the artifact in the same way (fluxcd/pkg:kustomize/filesys/fs_secure.go@v1.35.4).
type EscapeError struct {
	Path string
}

func (e *EscapeError) Error() string {
	return fmt.Sprintf("path '%s' leads out of the tree", e.Path)
}

// View is the tree as one build sees it: with the generated kustomization.yaml written over it,
// and a record of what the build looked at. It implements filesys.FileSystem.
type View struct {
	tree    *Tree
	written map[string]*Blob
	mounted map[string]*entry
	reads   map[string]bool
	damaged map[string]bool

	// The first of each that the build met. kustomize tries a path as file, directory and
	// repository, and says only what the last attempt said.
	Omitted *OmittedError
	Escaped *EscapeError
}

var _ filesys.FileSystem = (*View)(nil)

// NewView sees the tree, and records for one build.
func NewView(t *Tree) *View {
	return &View{tree: t, written: map[string]*Blob{}, mounted: map[string]*entry{}, reads: map[string]bool{}, damaged: map[string]bool{}}
}

// Reads lists what the build depended on: files, also those that were looked for and are absent,
// and, with a slash at the end, directories whose whole list of files below mattered.
func (v *View) Reads() []string { return sorted(v.reads) }

// Damaged lists the files that were read as if their sops stanza were intact.
func (v *View) Damaged() []string { return sorted(v.damaged) }

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (v *View) record(absolute string) {
	if strings.HasPrefix(absolute, Root+"/") && !strings.HasPrefix(absolute, mounts) {
		v.reads[Relative(absolute)] = true
	}
}

func (v *View) recordListing(absolute string) {
	if absolute == Root {
		v.reads["./"] = true
		return
	}
	v.reads[Relative(absolute)+"/"] = true
}

func (v *View) escape(p string) error {
	err := &EscapeError{Path: Relative(p)}
	if v.Escaped == nil {
		v.Escaped = err
	}
	return err
}

func (v *View) omit(absolute, reason string) error {
	err := &OmittedError{Path: Relative(absolute), Reason: reason}
	if v.Omitted == nil {
		v.Omitted = err
	}
	return err
}

func absent(op, p string) error {
	return &fs.PathError{Op: op, Path: p, Err: syscall.ENOENT}
}

// resolve follows links, within the tree only, to the entry that a path names.
func (v *View) resolve(op, name string) (string, *entry, error) {
	target := path.Clean(name)
	if !path.IsAbs(target) {
		target = path.Join(Root, target)
	}
	if !inside(target) {
		return "", nil, v.escape(name)
	}
	for hops := 0; ; hops++ {
		at, rest, e := v.walkTo(target)
		switch {
		case e == nil:
			v.record(target)
			return "", nil, absent(op, name)
		case e.kind != link:
			return v.arrive(op, name, at, rest, e)
		case hops == maxLinks:
			return "", nil, &fs.PathError{Op: op, Path: name, Err: syscall.ELOOP}
		}
		v.record(at)
		target = path.Join(path.Dir(at), e.target, rest)
		if path.IsAbs(e.target) || !inside(target) {
			return "", nil, v.escape(at)
		}
	}
}

// arrive ends a resolution at an entry that is not a link, with what of the path is left.
func (v *View) arrive(op, name, at, rest string, e *entry) (string, *entry, error) {
	switch {
	case e.kind == omitted && rest != "":
		v.record(at)
		return "", nil, v.omit(at, e.reason)
	case rest != "":
		v.record(at)
		return "", nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
	}
	if e.kind != directory {
		v.record(at)
	}
	return at, e, nil
}

// walkTo goes down a path to its end, or to the first entry on the way that is no directory.
func (v *View) walkTo(target string) (at, rest string, found *entry) {
	if content, ok := v.written[target]; ok {
		return target, "", &entry{kind: file, blob: content}
	}
	if e, ok := v.entry(target); ok {
		return target, "", e
	}
	for above := path.Dir(target); inside(above); above = path.Dir(above) {
		e, ok := v.entry(above)
		if !ok {
			continue
		}
		if e.kind == directory {
			return "", "", nil
		}
		return above, strings.TrimPrefix(target, above+"/"), e
	}
	return "", "", nil
}

func (v *View) entry(absolute string) (*entry, bool) {
	if e, ok := v.mounted[absolute]; ok {
		return e, true
	}
	e, ok := v.tree.entries[absolute]
	return e, ok
}

// mounts is where fetched repositories lie. No directory lists it, so no walk leads there.
const mounts = Root + "/@remote-"

// Mount adds the files of a fetched repository to the view, and returns their top.
func (v *View) Mount(name string, files map[string][]byte, links, omitted map[string]string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	top := mounts + hex.EncodeToString(sum[:8])
	if _, known := v.mounted[top]; known {
		return top, nil
	}
	t, err := New(&protocol.Tree{Binary: files, Links: links, Omitted: omitted})
	if err != nil {
		return "", err
	}
	v.mount(top, t)
	return top, nil
}

// MountTree adds a tree to the view that stands for a reference out of it, and returns where the reference
// leads: to its only file, or to its top.
func (v *View) MountTree(name string, t *Tree) string {
	sum := sha256.Sum256([]byte(name))
	top := mounts + hex.EncodeToString(sum[:8])
	v.mount(top, t)
	if children := t.entries[Root].children; len(children) == 1 {
		return path.Join(top, children[0])
	}
	return top
}

func (v *View) mount(top string, t *Tree) {
	for absolute, e := range t.entries {
		v.mounted[top+strings.TrimPrefix(absolute, Root)] = e
	}
}

func inside(absolute string) bool {
	return absolute == Root || strings.HasPrefix(absolute, Root+"/")
}

// ReadFile returns the content of a file.
func (v *View) ReadFile(name string) ([]byte, error) {
	at, e, err := v.resolve("open", name)
	if err != nil {
		return nil, err
	}
	switch e.kind {
	case directory:
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	case omitted:
		return nil, v.omit(at, e.reason)
	}
	if !isYAMLName(at) {
		return e.blob.content, nil
	}
	intact, damaged := e.blob.intact()
	if damaged {
		v.damaged[Relative(at)] = true
	}
	return intact, nil
}

func isYAMLName(name string) bool {
	extension := path.Ext(name)
	return extension == ".yaml" || extension == ".yml"
}

// Check is a check of a file's content, made once for each name and content.
func (v *View) Check(file, name string, check func([]byte) error) error {
	content, err := v.ReadFile(file)
	if err != nil {
		return err
	}
	at, e, err := v.resolve("open", file)
	if err != nil || !isYAMLName(at) {
		return check(content)
	}
	return e.blob.fact(name, check)
}

// Original is the content of a file as the tree has it, without what was written over it; nil if absent.
func (v *View) Original(absolute string) []byte {
	if e, ok := v.tree.entries[absolute]; ok && e.kind == file {
		return e.blob.content
	}
	return nil
}

// IsLink is true for a path of the tree (as the repository knows it) that is a link.
func (v *View) IsLink(relative string) bool {
	e, ok := v.tree.entries[Root+"/"+relative]
	return ok && e.kind == link
}

// IsWritten is true for a file that was written over the tree.
func (v *View) IsWritten(absolute string) bool {
	_, ok := v.written[absolute]
	return ok
}

// Exists is true for what a link names, not for a link that leads nowhere or out.
func (v *View) Exists(name string) bool {
	_, _, err := v.resolve("stat", name)
	return err == nil
}

// IsDir is true for a directory and for a link to one.
func (v *View) IsDir(name string) bool {
	_, e, err := v.resolve("stat", name)
	return err == nil && e.kind == directory
}

// CleanedAbs resolves links and parts the result into directory and file.
func (v *View) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	at, e, err := v.resolve("lstat", name)
	if err != nil {
		return "", "", fmt.Errorf("evalsymlink failure on '%s' : %w", name, err)
	}
	if e.kind == directory {
		return filesys.ConfirmedDir(at), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(at)), path.Base(at), nil
}

// ReadDir lists the names in a directory.
func (v *View) ReadDir(name string) ([]string, error) {
	at, e, err := v.resolve("open", name)
	if err != nil {
		return nil, err
	}
	if e.kind != directory {
		return nil, &fs.PathError{Op: "readdirent", Path: name, Err: syscall.ENOTDIR}
	}
	v.recordListing(at)
	return append([]string(nil), e.children...), nil
}

// Glob matches a pattern in the last element of a path, hidden files left out.
func (v *View) Glob(pattern string) ([]string, error) {
	names, err := v.ReadDir(path.Dir(pattern))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var matches []string
	for _, name := range names {
		matched, err := path.Match(path.Base(pattern), name)
		if err != nil {
			return nil, err
		}
		if matched {
			matches = append(matches, path.Join(path.Dir(pattern), name))
		}
	}
	if filesys.IsHiddenFilePath(pattern) {
		return matches, err
	}
	return filesys.RemoveHiddenFiles(matches), err
}

// Walk visits files in the order of filepath.Walk and, like it, does not follow links to directories.
// A link out of the tree ends it, as in fluxcd/pkg:kustomize/filesys/fs_secure.go#Walk@v1.35.4.
func (v *View) Walk(name string, visit filepath.WalkFunc) error {
	at, e, err := v.resolve("lstat", name)
	if err != nil {
		return visit(name, nil, err)
	}
	v.recordListing(at)
	err = v.walk(at, e, visit)
	if errors.Is(err, filepath.SkipDir) || errors.Is(err, filepath.SkipAll) {
		return nil
	}
	return err
}

func (v *View) walk(at string, e *entry, visit filepath.WalkFunc) error {
	if e.kind == link {
		if _, _, err := v.resolve("lstat", at); errors.As(err, new(*EscapeError)) {
			return err
		}
	}
	if err := visit(at, &stat{name: path.Base(at), entry: e}, nil); err != nil || e.kind != directory {
		return err
	}
	for _, child := range e.children {
		err := v.walk(path.Join(at, child), v.tree.entries[path.Join(at, child)], visit)
		if errors.Is(err, filepath.SkipDir) {
			if v.tree.entries[path.Join(at, child)].kind != directory {
				return nil
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes over the tree, for this view only.
func (v *View) WriteFile(name string, content []byte) error {
	target := path.Clean(name)
	if at, e, err := v.resolve("open", target); err == nil && e.kind == file {
		target = at
	} else if !v.IsDir(path.Dir(target)) {
		return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	v.written[target] = NewBlob(content)
	return nil
}

var errReadOnly = errors.New("the tree is read-only")

// Create is refused: a build reads.
func (v *View) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is refused: a build reads.
func (v *View) Mkdir(string) error { return errReadOnly }

// MkdirAll is refused: a build reads.
func (v *View) MkdirAll(string) error { return errReadOnly }

// RemoveAll is refused: a build reads.
func (v *View) RemoveAll(string) error { return errReadOnly }

// Open is refused: kustomize reads whole files.
func (v *View) Open(string) (filesys.File, error) { return nil, errReadOnly }

// stat is what Walk says of an entry.
type stat struct {
	fs.FileInfo
	name  string
	entry *entry
}

func (s *stat) Name() string { return s.name }
func (s *stat) Size() int64 {
	if s.entry.blob == nil {
		return 0
	}
	return int64(len(s.entry.blob.content))
}
func (s *stat) IsDir() bool { return s.entry.kind == directory }
func (s *stat) Mode() os.FileMode {
	switch s.entry.kind {
	case directory:
		return os.ModeDir | 0o755
	case link:
		return os.ModeSymlink | 0o777
	default:
		return 0o644
	}
}
