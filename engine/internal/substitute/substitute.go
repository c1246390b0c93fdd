// Package substitute puts variables into objects, by the rules of
// fluxcd/pkg:kustomize/kustomize_varsub.go@v1.35.4 and with its envsubst, and says what it could not know.
package substitute

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/fluxcd/pkg/envsubst/parse"
	"sigs.k8s.io/yaml"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/protocol"
)

const (
	substituteKey = "kustomize.toolkit.fluxcd.io/substitute"
	disabled      = "disabled"
)

var validName = regexp.MustCompile(`^[_[:alpha:]][_[:alpha:][:digit:]]*$`)

// Set substitutes in all objects of a set. As in the controller, one object that fails fails all.
func Set(set protocol.Set) (result protocol.SetResult) {
	empty := protocol.SetResult{
		Key: set.Key, Objects: []json.RawMessage{}, Undefined: []protocol.Undefined{}, Symbols: map[int][]string{}, Tokens: map[string]string{},
	}
	at := 0
	defer func() {
		if r := recover(); r != nil {
			result = empty
			result.Error = &protocol.Error{Code: protocol.Panicked, Message: fmt.Sprintf("substitution panicked: %v", r), Object: &at}
		}
	}()
	result = empty
	values := valuesOf(set)
	ids := newIdentities(set.Objects)
	for i, object := range set.Objects {
		at = i
		done, err := one(object, &values, i)
		if err == nil {
			err = ids.replace(i, done)
		}
		if err != nil {
			result.Error = failure(err, i)
			return result
		}
		values.done = append(values.done, done)
	}
	if err := values.fill(&result); err != nil {
		result.Error = failure(err, at)
	}
	return result
}

// fill puts what was found into the result. An object whose name is empty, or became a number, is none any more: the
// controller drops it without a word (fluxcd/pkg:ssa/utils/object.go#ReadObjects@v0.76.1), and so its index is -1.
func (v *values) fill(result *protocol.SetResult) error {
	places := make([]int, len(v.done))
	for i, object := range v.done {
		if places[i] = -1; !hasName(object) {
			continue
		}
		marked, err := object, error(nil)
		if v.set.CommonMetadata != nil {
			marked, err = build.SetCommonMetadata(object, v.set.CommonMetadata)
		}
		if err != nil {
			return err
		}
		places[i] = len(result.Objects)
		result.Objects = append(result.Objects, marked)
	}
	for _, undefined := range v.undefined {
		undefined.Object = places[undefined.Object]
		result.Undefined = append(result.Undefined, undefined)
	}
	for i, names := range v.symbols {
		if places[i] >= 0 {
			result.Symbols[places[i]] = sortedNames(names)
		}
	}
	result.Tokens = v.used
	return nil
}

func failure(err error, object int) *protocol.Error {
	known, ok := err.(*protocol.Error)
	if !ok {
		known = &protocol.Error{Code: protocol.Substitution, Message: err.Error()}
	}
	known.Object = &object
	return known
}

func sortedNames(names map[string]bool) []string {
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	return sorted
}

// one substitutes in one object, on its YAML text. Errors never quote the text: it may be a Secret's.
func one(object json.RawMessage, values *values, index int) (json.RawMessage, error) {
	var marks struct {
		Metadata struct {
			Labels      map[string]any `json:"labels"`
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(object, &marks); err != nil {
		return nil, &protocol.Error{Code: protocol.InvalidRequest, Message: "an object is not a JSON object with metadata"}
	}
	if marks.Metadata.Labels[substituteKey] == disabled || marks.Metadata.Annotations[substituteKey] == disabled {
		return object, nil
	}
	if values.empty() && !values.set.Always {
		return object, nil
	}
	if err := values.checkNames(); err != nil {
		return nil, err
	}
	if !bytes.ContainsRune(object, '$') {
		return object, nil
	}
	text, err := yaml.JSONToYAML(object)
	if err != nil {
		return nil, &protocol.Error{Code: protocol.InvalidRequest, Message: "an object cannot be written as YAML"}
	}
	output, err := values.expand(string(text), index)
	if err != nil {
		return nil, err
	}
	return values.parse(output)
}

// expand uses envsubst alone where every variable's value is known.
func (v *values) expand(text string, index int) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	nodes, err := parsed(text)
	if err != nil {
		return "", substitutionError(err)
	}
	if v.touches(nodes) {
		return v.symbolic(nodes, index)
	}
	v.noteMissing(nodes, index)
	output, err := envsubst.Eval(text, func(name string) (string, bool) {
		value, ok := v.set.Variables[name]
		return value, ok || !v.set.Strict
	})
	if err != nil {
		return "", substitutionError(err)
	}
	return output, nil
}

var notSet = regexp.MustCompile(`variable not set \(strict mode\): "([^"]*)"`)

func substitutionError(err error) error {
	if m := notSet.FindStringSubmatch(err.Error()); m != nil {
		return &protocol.Error{Code: protocol.UndefinedVariable, Message: "variable " + m[1] + " is not defined, and substitution is strict"}
	}
	return &protocol.Error{Code: protocol.Substitution, Message: "variable substitution failed: " + err.Error()}
}

// parse reads the text as YAML again: an unquoted value may change its type.
func (v *values) parse(output string) (json.RawMessage, error) {
	content, err := yaml.YAMLToJSON([]byte(output))
	if err != nil {
		return nil, &protocol.Error{Code: protocol.Substitution, Message: "after substitution the object is no YAML" + atLine(err)}
	}
	var object map[string]any
	if err := json.Unmarshal(content, &object); err != nil || object["kind"] == nil || object["apiVersion"] == nil {
		return nil, &protocol.Error{Code: protocol.Substitution, Message: "after substitution the object is no Kubernetes object"}
	}
	if name := v.inKeys(object); name != "" {
		return nil, &protocol.Error{Code: protocol.SymbolicStructure, Message: "the value of " + name + ", which is not known, is part of a key"}
	}
	return content, nil
}

var lineNumber = regexp.MustCompile(`line \d+`)

func atLine(err error) string {
	if line := lineNumber.FindString(err.Error()); line != "" {
		return " (" + line + " of its text)"
	}
	return ""
}

// noteMissing finds the variables that are undefined and have no default.
func (v *values) noteMissing(node parse.Node, index int) {
	switch node := node.(type) {
	case *parse.ListNode:
		for _, part := range node.Nodes {
			v.noteMissing(part, index)
		}
	case *parse.FuncNode:
		for _, argument := range node.Args {
			v.noteMissing(argument, index)
		}
		if _, known := v.set.Variables[node.Param]; !known {
			v.missing(node, index)
		}
	}
}

func (v *values) missing(node *parse.FuncNode, index int) {
	if isDefault(node.Name) {
		return
	}
	undefined := protocol.Undefined{Object: index, Name: node.Param}
	if !slices.Contains(v.undefined, undefined) {
		v.undefined = append(v.undefined, undefined)
	}
}
