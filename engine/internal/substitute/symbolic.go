package substitute

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/fluxcd/pkg/envsubst/parse"

	"github.com/flux-handover/engine/internal/protocol"
)

// values are the variables of a set. The value of a symbolic one is not known: a token stands for it.
type values struct {
	set       protocol.Set
	undefined []protocol.Undefined
	symbols   map[int]map[string]bool
	used      map[string]string
	checked   bool
	done      []json.RawMessage
}

func valuesOf(set protocol.Set) values {
	known := make(map[string]string, len(set.Variables))
	for name, value := range set.Variables {
		known[name] = strings.ReplaceAll(value, "\n", "")
	}
	set.Variables = known
	return values{set: set, symbols: map[int]map[string]bool{}, used: map[string]string{}}
}

func (v *values) empty() bool {
	return len(v.set.Variables) == 0 && len(v.set.Symbolic) == 0 && !v.set.Open
}

func (v *values) checkNames() error {
	if v.checked {
		return nil
	}
	var wrong []string
	for name := range v.set.Variables {
		wrong = appendInvalid(wrong, name)
	}
	for name := range v.set.Symbolic {
		wrong = appendInvalid(wrong, name)
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return &protocol.Error{
			Code:    protocol.InvalidVariable,
			Message: fmt.Sprintf("'%s' var name is invalid, must match '%s'", wrong[0], validName),
		}
	}
	v.checked = true
	return nil
}

func appendInvalid(wrong []string, name string) []string {
	if validName.MatchString(name) {
		return wrong
	}
	return append(wrong, name)
}

func parsed(text string) (parse.Node, error) {
	template, err := parse.Parse(text)
	if err != nil {
		return nil, err
	}
	return template.Root, nil
}

// token stands for a variable whose value is not known; false if its value is known, or known to be absent.
// A variable set in line or by a later source hides an unknown one, so the client gives each name once.
func (v *values) token(name string) (string, bool) {
	if _, known := v.set.Variables[name]; known {
		return "", false
	}
	if token, ok := v.set.Symbolic[name]; ok {
		return token, true
	}
	return "symbol-" + name + "-" + digest(name), v.set.Open
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:4])
}

// touches says whether a text uses a variable whose value is not known.
func (v *values) touches(node parse.Node) bool {
	switch node := node.(type) {
	case *parse.ListNode:
		return v.anyTouches(node.Nodes)
	case *parse.FuncNode:
		_, symbolic := v.token(node.Param)
		return symbolic || v.anyTouches(node.Args)
	}
	return false
}

func (v *values) anyTouches(nodes []parse.Node) bool {
	for _, node := range nodes {
		if v.touches(node) {
			return true
		}
	}
	return false
}

// symbolic expands a text with tokens in it.
func (v *values) symbolic(node parse.Node, index int) (string, error) {
	switch node := node.(type) {
	case *parse.TextNode:
		return node.Value, nil
	case *parse.ListNode:
		return v.concatenated(node.Nodes, index)
	case *parse.FuncNode:
		return v.function(node, index)
	}
	return "", nil
}

func (v *values) concatenated(nodes []parse.Node, index int) (string, error) {
	var text strings.Builder
	for _, node := range nodes {
		part, err := v.symbolic(node, index)
		if err != nil {
			return "", err
		}
		text.WriteString(part)
	}
	return text.String(), nil
}

// function expands `${...}`. The plain form of an unknown variable is its token. Any other form is some
// function of it, so a token of its own, made from the first: equal texts give equal tokens.
func (v *values) function(node *parse.FuncNode, index int) (string, error) {
	args := make([]string, len(node.Args))
	for i, argument := range node.Args {
		expanded, err := v.symbolic(argument, index)
		if err != nil {
			return "", err
		}
		args[i] = expanded
	}
	if token, ok := v.token(node.Param); ok {
		v.note(node, token, index)
		if node.Name == "" {
			return token, nil
		}
		return token + "-" + digest(append([]string{node.Name}, args...)...), nil
	}
	value, known := v.set.Variables[node.Param]
	if !known {
		v.missing(node, index)
	}
	if isDefault(node.Name) || node.Name == "" {
		return v.defaulted(node, value, known, args)
	}
	if v.anyTouches(node.Args) {
		return "", &protocol.Error{
			Code:    protocol.SymbolicOperation,
			Message: fmt.Sprintf("${%s%s...} depends on a variable whose value is not known", node.Param, node.Name),
		}
	}
	return v.operated(node, value, known, args)
}

func (v *values) defaulted(node *parse.FuncNode, value string, known bool, args []string) (string, error) {
	if !known && v.set.Strict && node.Name == "" {
		return "", &protocol.Error{
			Code:    protocol.UndefinedVariable,
			Message: "variable " + node.Param + " is not defined, and substitution is strict",
		}
	}
	if value == "" {
		return strings.Join(args, ""), nil
	}
	return value, nil
}

func isDefault(operator string) bool {
	switch operator {
	case "=", ":=", ":-", ":?", ":+", "-", "+", "?":
		return true
	}
	return false
}

// operated lets envsubst apply an operator to a known value, in a text of its own.
func (v *values) operated(node *parse.FuncNode, value string, known bool, args []string) (string, error) {
	for _, argument := range args {
		if strings.ContainsAny(argument, `}$\/:`) {
			return "", &protocol.Error{
				Code:    protocol.SymbolicOperation,
				Message: fmt.Sprintf("${%s%s...} cannot be taken apart from the unknown variables beside it", node.Param, node.Name),
			}
		}
	}
	output, err := envsubst.Eval(written(node, args), func(string) (string, bool) { return value, known || !v.set.Strict })
	if err != nil {
		return "", substitutionError(err)
	}
	return output, nil
}

// written is the text of an operator with its arguments put in.
func written(node *parse.FuncNode, args []string) string {
	if node.Name == "#" && len(args) == 0 {
		return "${#" + node.Param + "}"
	}
	separator := "/"
	if node.Name == ":" {
		separator = ":"
	}
	text := strings.Join(args, separator)
	if strings.HasPrefix(node.Name, "/") && len(args) == 1 {
		text += "/"
	}
	return "${" + node.Param + node.Name + text + "}"
}

func (v *values) note(node *parse.FuncNode, token string, index int) {
	name := node.Param
	if v.symbols[index] == nil {
		v.symbols[index] = map[string]bool{}
	}
	v.symbols[index][name] = true
	v.used[name] = token
	if _, given := v.set.Symbolic[name]; !given {
		v.missing(node, index)
	}
}

// inKeys is the variable whose token is part of a mapping's key, if any; of several, always the same.
func (v *values) inKeys(content any) string {
	if len(v.used) == 0 {
		return ""
	}
	found := map[string]bool{}
	v.collectInKeys(content, found)
	names := sortedNames(found)
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

func (v *values) collectInKeys(content any, found map[string]bool) {
	switch content := content.(type) {
	case map[string]any:
		for key, value := range content {
			for name, token := range v.used {
				if strings.Contains(key, token) {
					found[name] = true
				}
			}
			v.collectInKeys(value, found)
		}
	case []any:
		for _, value := range content {
			v.collectInKeys(value, found)
		}
	}
}
