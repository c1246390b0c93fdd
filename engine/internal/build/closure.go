package build

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/tree"
)

// reference is one path that a kustomization file names, and where.
type reference struct {
	file  string
	line  int
	value string
	// target is the absolute path, empty for a remote one.
	target string
}

// place is where the user wrote the reference; no file if it comes from the spec.
func (r reference) place() (string, int) { return r.relativeFile(), r.line }

func (r reference) relativeFile() string {
	if r.line == 0 {
		return ""
	}
	return tree.Relative(r.file)
}

// closure is everything that a build reads because a kustomization file says so. It is read before the
// build: to refuse what is remote before anything reaches for it, to know all that a refused build
// depends on, and to say in which line an error has its cause.
type closure struct {
	view       *tree.View
	network    *remote.Network
	known      map[string]*tree.Tree
	references []reference
	configs    map[string]string
	top        string
	failure    error
	// changesSchema says that a kustomization file has an `openapi:` field.
	changesSchema bool
}

// trace reads the closure of a directory.
func trace(view *tree.View, directory string, builder *Builder) *closure {
	c := &closure{view: view, network: builder.Network, known: builder.Known, configs: map[string]string{}}
	omitted, escaped := view.Omitted, view.Escaped
	c.directory(directory)
	c.top = c.configs[directory]
	// What the build does not read, it does not fail on.
	view.Omitted, view.Escaped = omitted, escaped
	return c
}

func (c *closure) remotes() []string {
	var found []string
	for _, r := range c.references {
		if r.target == "" && !slices.Contains(found, r.value) {
			found = append(found, r.value)
		}
	}
	slices.Sort(found)
	return found
}

// refusal is the error of a closure that must not be built.
func (c *closure) refusal() error {
	if c.failure != nil || c.network.Allowed {
		return c.failure
	}
	for _, r := range c.references {
		if _, known := c.known[r.value]; r.target == "" && !known {
			return &protocol.Error{
				Code:    protocol.RemoteResource,
				Message: fmt.Sprintf("%s is not in the tree, and the network is not allowed", r.value),
				File:    r.relativeFile(),
				Line:    r.line,
			}
		}
	}
	return nil
}

func (c *closure) directory(directory string) {
	if _, seen := c.configs[directory]; seen {
		return
	}
	c.configs[directory] = ""
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		content, err := c.view.ReadFile(path.Join(directory, name))
		if err != nil || c.configs[directory] != "" {
			continue
		}
		c.configs[directory] = path.Join(directory, name)
		c.config(directory, path.Join(directory, name), content)
	}
}

// config reads one kustomization file; one that cannot be parsed is for kustomize to refuse.
func (c *closure) config(directory, file string, content []byte) {
	if err := checkExpansion(content); err != nil {
		c.failure = &fileError{file: file, err: err}
		return
	}
	var document yaml.Node
	if yaml.Unmarshal(content, &document) != nil || len(document.Content) == 0 {
		return
	}
	root := document.Content[0]
	at := &place{closure: c, directory: directory, config: file, lines: c.lines(file)}
	for _, field := range []string{"resources", "bases", "components", "generators", "transformers", "validators"} {
		at.directories(child(root, field))
	}
	if at.moved {
		c.rewrite(file, &document)
	}
	for _, field := range []string{"crds", "configurations", "patchesStrategicMerge"} {
		at.files(child(root, field))
	}
	for _, field := range []string{"patches", "patchesJson6902", "replacements"} {
		for _, element := range elements(child(root, field)) {
			at.file(child(element, "path"))
		}
	}
	c.changesSchema = c.changesSchema || child(root, "openapi") != nil
	at.file(child(child(root, "openapi"), "path"))
	for _, field := range []string{"configMapGenerator", "secretGenerator"} {
		for _, element := range elements(child(root, field)) {
			at.sources(child(element, "files"))
			at.files(child(element, "envs"))
			at.file(child(element, "env"))
		}
	}
}

// lines are those of the values in a file that was written over: the user knows the file before.
func (c *closure) lines(file string) map[string]int {
	if !c.view.IsWritten(file) {
		return nil
	}
	lines := map[string]int{}
	var document yaml.Node
	if yaml.Unmarshal(c.view.Original(file), &document) == nil {
		collectLines(&document, lines)
	}
	return lines
}

func collectLines(node *yaml.Node, lines map[string]int) {
	if _, known := lines[node.Value]; node.Kind == yaml.ScalarNode && !known {
		lines[node.Value] = node.Line
	}
	for _, element := range node.Content {
		collectLines(element, lines)
	}
}

// place is a kustomization file whose paths are read.
type place struct {
	closure   *closure
	directory string
	config    string
	lines     map[string]int
	// moved says that a repository was fetched, and its reference points to the copy.
	moved bool
}

func (p *place) directories(list *yaml.Node) {
	for _, element := range elements(list) {
		p.base(element)
	}
}

func (p *place) files(list *yaml.Node) {
	for _, element := range elements(list) {
		p.file(element)
	}
}

// base is a path that may be a file, a directory with a kustomization file, or a repository.
func (p *place) base(node *yaml.Node) {
	value, ok := pathIn(node)
	if !ok {
		return
	}
	target := path.Join(p.directory, value)
	switch {
	case remote.IsFile(value), remote.IsRepository(value) && !isFile(p.closure.view, target):
		p.remote(node, value)
		if known, ok := p.closure.known[value]; ok {
			p.lead(node, value, p.closure.view.MountTree(value, known))
		} else {
			p.fetchBase(node, value)
		}
	case p.closure.view.IsDir(target):
		p.local(node, value, target)
		confirmed, _, err := p.closure.view.CleanedAbs(target)
		if err == nil {
			p.closure.directory(confirmed.String())
		}
	default:
		p.read(node, value, target)
	}
}

// file is a path that kustomize loads as a file, over HTTP if it is a URL.
func (p *place) file(node *yaml.Node) {
	value, ok := pathIn(node)
	switch {
	case !ok:
	case remote.IsFile(value):
		p.remote(node, value)
		p.fetchFile(value)
	default:
		p.read(node, value, path.Join(p.directory, value))
	}
}

// sources are files of a generator, `path` or `name=path`.
func (p *place) sources(list *yaml.Node) {
	for _, element := range elements(list) {
		value, ok := pathIn(element)
		if !ok {
			continue
		}
		_, named, ok := strings.Cut(value, "=")
		switch {
		case !ok:
			p.file(element)
		case remote.IsFile(named):
			p.remote(element, named)
			p.fetchFile(named)
		default:
			p.read(element, named, path.Join(p.directory, named))
		}
	}
}

func (p *place) remote(node *yaml.Node, value string) {
	p.local(node, value, "")
}

func (p *place) local(node *yaml.Node, value, target string) {
	line := node.Line
	if p.lines != nil {
		line = p.lines[node.Value]
	}
	p.closure.references = append(p.closure.references, reference{p.config, line, value, target})
}

func (p *place) read(node *yaml.Node, value, target string) {
	p.local(node, value, target)
	if _, err := p.closure.view.ReadFile(target); err != nil || !isYAML(target) {
		return
	}
	if err := p.closure.view.Check(target, "expansion", checkExpansion); err != nil && p.closure.failure == nil {
		p.closure.failure = &fileError{file: target, err: err}
	}
}

func isYAML(name string) bool {
	extension := path.Ext(name)
	return extension == ".yaml" || extension == ".yml" || extension == ".json"
}

// pathIn is a scalar that can be a path: inline YAML has more than one line.
func pathIn(node *yaml.Node) (string, bool) {
	if node == nil || node.Kind != yaml.ScalarNode || node.Value == "" || strings.ContainsAny(node.Value, "\n{") {
		return "", false
	}
	return node.Value, true
}

// child is the value of a key. kustomize takes a field also in other capitals where none is written exactly so.
func child(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	var similar *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		switch name := mapping.Content[i].Value; {
		case name == key:
			return resolved(mapping.Content[i+1])
		case strings.EqualFold(name, key):
			similar = resolved(mapping.Content[i+1])
		}
	}
	return similar
}

func elements(list *yaml.Node) []*yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	found := make([]*yaml.Node, len(list.Content))
	for i, element := range list.Content {
		found[i] = resolved(element)
	}
	return found
}

func resolved(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}
