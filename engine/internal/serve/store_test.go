package serve_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/serve"
)

func orchard(server *serve.Server, request protocol.Request) protocol.BuildResult {
	request.Method = "build"
	request.Builds = []protocol.Build{{Key: "x", Kustomization: []byte(`{"spec": {"path": "orchard"}}`)}}
	response, _ := server.Answer(request)
	if response.Error != nil {
		return protocol.BuildResult{Error: response.Error}
	}
	return response.Results.([]protocol.BuildResult)[0]
}

func stored(t *testing.T, server *serve.Server, request protocol.Request) {
	t.Helper()
	request.Method = "store"
	if response, _ := server.Answer(request); response.Error != nil {
		t.Fatal(response.Error)
	}
}

func TestAStoredTreeBuildsAsOneThatIsSent(t *testing.T) {
	apple, broken := fmt.Sprintf(configMap, "apple"), "a: [\n"
	for name, files := range map[string]map[string]string{
		"builds": {"orchard/apple.yaml": apple, "orchard/kustomization.yaml": "resources: [apple.yaml]\n"},
		"listed": {"orchard/apple.yaml": apple, "orchard/pear.yaml": fmt.Sprintf(configMap, "pear")},
		"fails":  {"orchard/apple.yaml": broken},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve.New("test")
			texts, digests := map[string]string{}, map[string]string{}
			for path, text := range files {
				texts[text], digests[path] = text, text
			}
			stored(t, server, protocol.Request{Texts: texts, Trees: map[string]*protocol.StoredTree{"t": {Files: digests}}})

			first := orchard(server, protocol.Request{TreeDigest: "t"})
			second := orchard(server, protocol.Request{TreeDigest: "t"})
			sent := orchard(serve.New("test"), protocol.Request{Tree: &protocol.Tree{Files: files}})

			if !reflect.DeepEqual(first, sent) || !reflect.DeepEqual(second, sent) {
				t.Errorf("stored:\n%+v\n%+v\nsent:\n%+v", first, second, sent)
			}
		})
	}
}

func TestWhatWasNotStoredIsRefused(t *testing.T) {
	server := serve.New("test")
	tree := map[string]*protocol.StoredTree{"t": {Files: map[string]string{"a": "absent"}}}

	response, _ := server.Answer(protocol.Request{Method: "store", Trees: tree})
	result := orchard(server, protocol.Request{TreeDigest: "t"})

	if response.Error == nil || response.Error.Code != protocol.InvalidRequest {
		t.Errorf("the error is %v", response.Error)
	}
	if result.Error == nil || result.Error.Code != protocol.InvalidRequest {
		t.Errorf("the error is %v", result.Error)
	}
}

func TestAKnownReferenceLeadsToItsTree(t *testing.T) {
	const reference = "https://example.org/press/install.yaml"
	for name, files := range map[string]map[string]string{
		"a file":      {"install.yaml": fmt.Sprintf(configMap, "press")},
		"a directory": {"kustomization.yaml": "namePrefix: old-\nresources: [a.yaml]\n", "a.yaml": fmt.Sprintf(configMap, "press")},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve.New("test")
			texts := map[string]string{"k": "resources:\n  - " + reference + "\n  - other.yaml\n", "o": fmt.Sprintf(configMap, "other")}
			trees := map[string]*protocol.StoredTree{
				"t": {Files: map[string]string{"orchard/kustomization.yaml": "k", "orchard/other.yaml": "o"}},
				"p": {Files: map[string]string{}},
			}
			for path, text := range files {
				texts[text], trees["p"].Files[path] = text, text
			}
			stored(t, server, protocol.Request{Texts: texts, Trees: trees})

			result := orchard(server, protocol.Request{TreeDigest: "t", Known: map[string]string{reference: "p"}})
			without := orchard(server, protocol.Request{TreeDigest: "t"})

			if result.Error != nil || !strings.HasSuffix(names(result), "press other") || !reflect.DeepEqual(result.Remotes, []string{reference}) {
				t.Errorf("objects %q, remotes %v, error %v", names(result), result.Remotes, result.Error)
			}
			if without.Error == nil || without.Error.Code != protocol.RemoteResource || without.Error.Line != 2 {
				t.Errorf("the error is %v", without.Error)
			}
		})
	}
}

// TestBuildsAtTheSameTimeAreAsOneByOne holds many builds, some of which replace kustomize's schema, against
// the same builds alone; run it with -race.
func TestBuildsAtTheSameTimeAreAsOneByOne(t *testing.T) {
	files := map[string]string{"schema.json": schemaOfAWidget}
	var builds []protocol.Build
	for i := range 40 {
		directory := fmt.Sprintf("d%d", i)
		config := "resources: [w.yaml]\npatches:\n- patch: '{apiVersion: example.org/v1, kind: Widget, metadata: {name: w}, spec: {parts: [{name: a, size: 2}]}}'\n"
		if i%4 == 0 {
			config += "openapi: {path: ../schema.json}\n"
		}
		files[directory+"/kustomization.yaml"] = config
		files[directory+"/w.yaml"] = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\nspec: {parts: [{name: a, size: 1}, {name: b, size: 1}]}\n"
		builds = append(builds, protocol.Build{Key: directory, Kustomization: json.RawMessage(fmt.Sprintf(`{"spec": {"path": %q}}`, directory))})
	}
	tree := &protocol.Tree{Files: files}

	together, _ := serve.New("test").Answer(protocol.Request{Method: "build", Tree: tree, Builds: builds})

	merged := 0
	for i, result := range together.Results.([]protocol.BuildResult) {
		alone, _ := serve.New("test").Answer(protocol.Request{Method: "build", Tree: tree, Builds: builds[i : i+1]})
		if expected := alone.Results.([]protocol.BuildResult)[0]; !reflect.DeepEqual(result, expected) {
			t.Fatalf("%s: %s, alone %s", result.Key, marshalled(t, result.Objects), marshalled(t, expected.Objects))
		}
		if result.Error != nil {
			t.Fatal(result.Error)
		}
		if strings.Contains(string(result.Objects[0]), `"b"`) {
			merged++
		}
	}
	if merged != 10 {
		t.Errorf("%d builds merged the list by name, and 10 have the schema that says so", merged)
	}
}

const schemaOfAWidget = `{"definitions": {"org.example.v1.Widget": {"type": "object",
"x-kubernetes-group-version-kind": [{"group": "example.org", "version": "v1", "kind": "Widget"}],
"properties": {"spec": {"type": "object", "properties": {"parts": {"type": "array", "x-kubernetes-patch-merge-key": "name",
"x-kubernetes-patch-strategy": "merge", "items": {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}}}}}}}}`
