package build

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/tree"
)

// fileError says in which file (absolute, in the view) an error has its cause.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// explain gives an error its code and its place; nil if the build succeeded. A file whose content is
// not known makes even a build that succeeded doubtful: kustomize ignores some files it cannot read.
func explain(view *tree.View, places *closure, err error) *protocol.Error {
	if view.Omitted != nil {
		return &protocol.Error{Code: protocol.FileOmitted, Message: view.Omitted.Error(), File: view.Omitted.Path}
	}
	if err == nil {
		return nil
	}
	if view.Escaped != nil {
		failure := located(view, places, &protocol.Error{Code: protocol.PathEscapes, Message: view.Escaped.Error()}, err)
		if failure.File == "" && view.IsLink(view.Escaped.Path) {
			failure.File = view.Escaped.Path
		}
		return failure
	}
	var known *protocol.Error
	if errors.As(err, &known) {
		copied := *known
		if file := new(fileError); errors.As(err, &file) && copied.File == "" {
			copied.File = tree.Relative(file.file)
		}
		return &copied
	}
	failure := located(view, places, &protocol.Error{Code: codeOf(err.Error()), Message: tree.Readable(err.Error())}, err)
	failure.Message = tidied(failure.Message)
	return failure
}

// rule maps what a library says to a code. kustomize has types for none of these.
type rule struct {
	says *regexp.Regexp
	code protocol.Code
}

func says(pattern string, code protocol.Code) rule {
	return rule{regexp.MustCompile(pattern), code}
}

// rules are tried in order; the first that matches decides. kustomize wraps causes from left to right, and
// quotes the failed attempts before the last, so the specific come first.
var rules = []rule{
	says(`cycle detected|maximum recursion`, protocol.Cycle),
	says(`failed to get the patch file.*no such file|too many levels of symbolic links`, protocol.MissingFile),
	says(`network refused|no 'git' program`, protocol.RemoteResource),
	says(`Found multiple kustomization files`, protocol.SeveralConfigs),
	says(`kustomization.yaml is empty`, protocol.EmptyConfig),
	says(`unknown field "`, protocol.UnknownField),
	says(`expected kind '|expected kind != '|component path '`, protocol.InvalidComponent),
	says(`may not add resource with an already registered id|Multiple matches for|found multiple possible`, protocol.DuplicateID),
	says(`no matches for Id|no resource matches strategic merge patch|unable to find patch target|failed to find unique target for patch|unable to find patch`, protocol.PatchNoMatch),
	says(`unable to parse SM or JSON patch|unable to parse strategic merge patch|Multiple Strategic-Merge Patches|must specify one of patch and path|patch and path can't be set|must specify a target for|empty json patch|failed to get the patch file|trouble configuring builtin Patch|replace operation does not apply|remove operation does not apply|add operation does not apply|test operation does not apply|error in (?:add|remove|replace|move|copy|test) for path|testing path|doc is missing (?:path|key)|illegal (?:JSON|SM) patch|wrong Node Kind for|patch appears to patch nothing|JSON patch`, protocol.InvalidPatch),
	says(`replacement|nothing selected by|unable to find field "`, protocol.InvalidReplacement),
	says(`must specify --enable-helm|--enable-alpha-plugins|external plugins disabled|plugin .* (?:disabled|not found)|unable to find plugin|unable to load (?:exec|Go) plugin|enable-exec`, protocol.PluginDisabled),
	says(`missing metadata\.name|missing 'name'`, protocol.MissingName),
	says(`Object 'Kind' is missing|missing kind|missing Resource metadata|kind not set|apiVersion not set|should be a Kubernetes|expected .* to be an object|invalid metadata|got unknown type`, protocol.NotAnObject),
	says(`json: cannot unmarshal|cannot unmarshal .* into Go|apiVersion for .* should be|kind should be`, protocol.InvalidField),
	says(`MalformedYAMLError|(?:^|[^.\w])yaml: |YAML file \[|did not find expected|error converting YAML|mapping key .* already defined|could not find expected|invalid map key`, protocol.InvalidYAML),
	says(`unable to find one of 'kustomization.yaml'`, protocol.MissingConfig),
	says(`no such file or directory|not a valid directory|must build at directory|doesn't exist`, protocol.MissingFile),
}

// noise is what kustomize says beside the cause: the attempts before the last, and whole manifests, which
// may be Secrets.
var noise = []struct {
	says *regexp.Regexp
	put  string
}{
	{regexp.MustCompile("accumulation err='accumulating resources from '[^']*': read [^:]*: is a directory': "), ""},
	{regexp.MustCompile("accumulation err='(.*)': must build at directory: .*$"), "$1"},
	{regexp.MustCompile("(?s) with config: `.*?`"), ""},
	{regexp.MustCompile("(?s) from \\[patch: .*\\]"), ""},
	{regexp.MustCompile("(?s) in object {.*}"), ""},
	{regexp.MustCompile("(?s)(`patches.target` field|for JSON patch|must specify one of patch and path in|set at the same time).*"), "$1"},
}

const longestMessage = 2000

func tidied(message string) string {
	for _, n := range noise {
		message = n.says.ReplaceAllString(message, n.put)
	}
	message = strings.TrimSpace(message)
	if len(message) > longestMessage {
		return strings.ToValidUTF8(message[:longestMessage], "") + "..."
	}
	return message
}

func codeOf(message string) protocol.Code {
	for _, rule := range rules {
		if rule.says.MatchString(message) {
			return rule.code
		}
	}
	return protocol.BuildFailed
}

var (
	quotedPath = regexp.MustCompile(regexp.QuoteMeta(tree.Root) + `(?:/[^'":\n\]]*)?`)
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	namedFile  = regexp.MustCompile(`(?:in File: |from '|YAML file \[|from path\()([^'\])\n]+)`)
	fieldName  = regexp.MustCompile(`unknown field "([^"]+)"|Go struct field \w+\.(\w+)`)
	duplicate  = regexp.MustCompile(`already registered id: (\w+)\.[^/]*/(.+)\.[^.]+?(?:'|$)`)
)

// located adds the place of an error that kustomize tells in words: the reference that leads nowhere, else
// the file it names last, else the kustomization file of the last directory it names.
func located(view *tree.View, places *closure, failure *protocol.Error, err error) *protocol.Error {
	var file *fileError
	if errors.As(err, &file) {
		failure.File = tree.Relative(file.file)
		failure.Line = lineIn(view, file.file, failure)
		return failure
	}
	if places == nil {
		return failure
	}
	message := err.Error()
	if r, ok := places.culprit(failure.Code, message); ok {
		failure.File, failure.Line = r.place()
		return failure
	}
	name, ok := places.lastFile(message)
	if !ok && ofConfig(failure.Code) {
		name = places.top
	}
	if places.view.Original(name) != nil {
		failure.File = tree.Relative(name)
		failure.Line = lineIn(view, name, failure)
	}
	return failure
}

// ofConfig says whether an error that names no file is about the kustomization file that the build began with.
func ofConfig(code protocol.Code) bool {
	switch code {
	case protocol.UnknownField, protocol.InvalidField, protocol.EmptyConfig, protocol.SeveralConfigs:
		return true
	}
	return false
}

// culprit is the reference whose target is missing or outside.
func (c *closure) culprit(code protocol.Code, message string) (reference, bool) {
	switch code {
	case protocol.MissingFile, protocol.PathEscapes, protocol.MissingConfig, protocol.Cycle:
	default:
		return reference{}, false
	}
	best, found := reference{}, false
	for _, r := range c.references {
		if r.target == "" || !strings.Contains(message, r.target+"'") && !strings.Contains(message, r.target+":") &&
			!strings.Contains(message, "'"+r.value+"'") && !strings.Contains(message, r.target+`\"`) {
			continue
		}
		if c.view.Exists(r.target) && code != protocol.Cycle && code != protocol.MissingConfig {
			continue
		}
		// The innermost directory has the longest name.
		if !found || len(r.file) > len(best.file) {
			best, found = r, true
		}
	}
	return best, found
}

// lastFile is the file that a message names, or the kustomization file of the directory that it names last.
func (c *closure) lastFile(message string) (string, bool) {
	directory := ""
	for _, p := range quotedPath.FindAllString(message, -1) {
		if config := c.configs[strings.TrimSuffix(p, "/")]; config != "" {
			directory = strings.TrimSuffix(p, "/")
		} else if isFile(c.view, p) && isYAML(p) {
			return p, true
		}
	}
	for _, m := range namedFile.FindAllStringSubmatch(message, -1) {
		for _, r := range c.references {
			if r.target != "" && (r.value == m[1] || r.target == m[1]) && isFile(c.view, r.target) {
				return r.target, true
			}
		}
	}
	if directory != "" {
		return c.configs[directory], true
	}
	return "", false
}

// lineIn finds the line of an error within a file that is known.
func lineIn(view *tree.View, file string, failure *protocol.Error) int {
	content := view.Original(file)
	switch failure.Code {
	case protocol.UnknownField, protocol.InvalidField:
		if m := fieldName.FindStringSubmatch(failure.Message); m != nil {
			return lineOfKey(content, m[1]+m[2])
		}
	case protocol.InvalidYAML:
		return lineOfSyntaxError(content)
	case protocol.NotAnObject, protocol.MissingName:
		return lineOfDocument(content, incomplete)
	case protocol.DuplicateID:
		if m := duplicate.FindStringSubmatch(failure.Message); m != nil {
			return lineOfDocument(content, named(m[1], m[2]))
		}
	}
	return 0
}

func lineOf(message string) int {
	m := yamlLine.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	line, _ := strconv.Atoi(m[1])
	return line
}
