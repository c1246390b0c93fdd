package substitute_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/substitute"
)

func withText(text string) []json.RawMessage {
	content, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"text": text},
	})
	if err != nil {
		panic(err)
	}
	return []json.RawMessage{content}
}

func textOf(t *testing.T, result protocol.SetResult) string {
	t.Helper()
	if result.Error != nil {
		t.Fatal(result.Error)
	}
	var object struct {
		Data struct {
			Text any `json:"text"`
		} `json:"data"`
	}
	if err := json.Unmarshal(result.Objects[0], &object); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(object.Data.Text)
}

var forms = []string{
	"${v}", "${v:=d}", "${v=d}", "${v:-d}", "${v:?d}", "${v:+d}", "${#v}", "${v^}", "${v^^}", "${v,}", "${v,,}", "${v:1}", "${v:1:2}",
	"${v#a}", "${v##a*b}", "${v%c}", "${v%%b*c}", "${v/b/x}", "${v//b/x}", "${v/#a/x}", "${v/%c/x}", "${v/b/}", "a$$b", "$v", "$${v}",
}

// A known variable means the same beside an unknown one as it does alone, whatever its form and value.
func TestAnUnknownVariableDisturbsNoOther(t *testing.T) {
	for _, form := range forms {
		for _, value := range []string{"", "a", "abc", "Abcabc", "äbc", "a b c"} {
			variables := map[string]string{"v": value, "w": "w"}
			alone := substitute.Set(protocol.Set{Objects: withText("<" + form + "> token"), Variables: variables})
			beside := substitute.Set(protocol.Set{
				Objects: withText("<" + form + "> ${unknown}"), Variables: variables, Symbolic: map[string]string{"unknown": "token"},
			})
			if (alone.Error == nil) != (beside.Error == nil) {
				t.Errorf("%s of %q: alone %v, beside %v", form, value, alone.Error, beside.Error)
			} else if alone.Error == nil && textOf(t, alone) != textOf(t, beside) {
				t.Errorf("%s of %q is %q alone and %q beside", form, value, textOf(t, alone), textOf(t, beside))
			}
		}
	}
}

// Texts that could differ for some value have different tokens, and the same text the same one.
func TestEachFormOfAnUnknownVariableHasItsToken(t *testing.T) {
	seen := map[string]string{}
	for _, form := range forms[:22] {
		set := protocol.Set{Objects: withText(form), Symbolic: map[string]string{"v": "token"}}
		text := textOf(t, substitute.Set(set))
		if other, ok := seen[text]; ok {
			t.Errorf("%s and %s are both %s", form, other, text)
		}
		if !strings.HasPrefix(text, "token") || text != textOf(t, substitute.Set(set)) {
			t.Errorf("%s is %s", form, text)
		}
		seen[text] = form
	}
}

func TestAnUnknownKeyIsAlwaysTheSameError(t *testing.T) {
	object := json.RawMessage(`{"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "a-${b}": 1, "a-${a}": {"${c}": 1}}`)
	symbolic := map[string]string{"a": "token-a", "b": "token-b", "c": "token-c"}
	for range 20 {
		result := substitute.Set(protocol.Set{Objects: []json.RawMessage{object}, Symbolic: symbolic})
		if result.Error == nil || result.Error.Code != protocol.SymbolicStructure || !strings.Contains(result.Error.Message, " a,") {
			t.Fatalf("the error is %v", result.Error)
		}
	}
}

func TestErrorsDoNotQuoteTheObject(t *testing.T) {
	for _, text := range []string{"s3cret ${", "${v}"} {
		result := substitute.Set(protocol.Set{Objects: withText(text), Variables: map[string]string{"v": "s3cret: [s3cret"}})
		if result.Error == nil || strings.Contains(result.Error.Message, "s3cret") {
			t.Errorf("%q: the error is %v", text, result.Error)
		}
	}
}

// envsubst takes a negative length for a slice of it; the controller's build fails, and so does ours.
func TestAPanicOfEnvsubstIsAnError(t *testing.T) {
	result := substitute.Set(protocol.Set{Objects: withText("${v:2:-2}"), Variables: map[string]string{"v": "abc"}})

	if result.Error == nil || result.Error.Code != protocol.Panicked || len(result.Objects) != 0 {
		t.Errorf("the error is %v", result.Error)
	}
}

// TestATextWithoutVariablesIsWhatTheControllerMakesOfIt holds the short cut against the way through YAML and back,
// on scalars that YAML could take for something else.
func TestATextWithoutVariablesIsWhatTheControllerMakesOfIt(t *testing.T) {
	for _, value := range []string{
		`"1e3"`, `"0o7"`, `"007"`, `"1_000"`, `"yes"`, `"on"`, `"null"`, `"~"`, `"2020-01-01"`, `"0x1f"`, `"="`, `"<<"`, `"1:30"`,
		`" lead"`, `"trail "`, `"a\nb\n"`, `"\t"`, `"#x"`, `"- x"`, `"{}"`, `"ä\u2028"`, `"true"`, `""`, `1`, `1.5`, `-0.25`, `true`, `null`, `[]`, `{}`,
		`9007199254740993`, `[1, "1", [null]]`, `{"1": 2, "true": "x"}`,
	} {
		object := json.RawMessage(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"v":` + value + `}}`)
		set := protocol.Set{Objects: []json.RawMessage{object}, Variables: map[string]string{"a": "b"}}
		text, err := yaml.JSONToYAML(object)
		if err != nil {
			t.Fatal(err)
		}
		expected, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}

		result := substitute.Set(set)

		var found, wanted any
		if json.Unmarshal(result.Objects[0], &found) != nil || json.Unmarshal(expected, &wanted) != nil || !reflect.DeepEqual(found, wanted) {
			t.Errorf("%s becomes %s, and %s through YAML", value, result.Objects[0], expected)
		}
	}
}
