package serve_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	upstream "github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/provider"

	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/serve"
)

// beyondUpstream are cases in which upstream would use the network, hang, or read what we refuse on purpose.
var beyondUpstream = map[string]string{
	"alias-bomb":                       "upstream expands it",
	"alias-bomb-in-resource":           "upstream expands it",
	"deep":                             "upstream has no limit",
	"too-many-objects":                 "upstream has no limit",
	"sops-damaged":                     "upstream refuses it; we build it and list it as damaged",
	"path-override":                    "the path is not in the spec",
	"common-metadata-and-substitution": "metadata is set by the controller, after the build",
	"fields":                           "metadata is set by the controller, after the build",
	"spec-invalid":                     "the API server refuses it",
}

// TestBuildsAsUpstream holds every build case against fluxcd/pkg/kustomize on a disk: the same objects in the
// same order, or an error on both sides.
func TestBuildsAsUpstream(t *testing.T) {
	if testing.Short() {
		t.Skip("upstream parses its schema anew for each build")
	}
	for _, directory := range cases(t, "build") {
		name := filepath.Base(directory)
		request := readRequest(t, directory)
		reason := beyondUpstream[name]
		if reason != "" || strings.HasPrefix(name, "remote-") || request.Tree == nil || len(request.Tree.Omitted) > 0 || len(request.Builds) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			response, _ := serve.New("test").Answer(request)
			for i, result := range response.Results.([]protocol.BuildResult) {
				expected, err := upstreamBuild(t, request.Tree, request.Builds[i])
				switch {
				case (err == nil) != (result.Error == nil):
					t.Errorf("%s: upstream says %v, we say %v", result.Key, err, result.Error)
				case err == nil && !sameJSON(t, expected, marshalled(t, result.Objects)):
					t.Errorf("%s: upstream builds\n%s\nwe build\n%s", result.Key, expected, marshalled(t, result.Objects))
				}
			}
		})
	}
}

func upstreamBuild(t *testing.T, tree *protocol.Tree, build protocol.Build) ([]byte, error) {
	t.Helper()
	root := onDisk(t, tree)
	var object unstructured.Unstructured
	if err := json.Unmarshal(build.Kustomization, &object.Object); err != nil {
		t.Fatal(err)
	}
	specPath, _, _ := unstructured.NestedString(object.Object, "spec", "path")
	directory := filepath.Join(root, filepath.Clean("/"+specPath))
	if _, err := os.Stat(directory); err != nil {
		return nil, err
	}
	if _, err := upstream.NewGenerator(root, object).WriteFile(directory); err != nil {
		return nil, err
	}
	resources, err := upstream.SecureBuild(root, directory, false)
	if err != nil {
		return nil, err
	}
	objects := []json.RawMessage{}
	for _, resource := range resources.Resources() {
		content, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, content)
	}
	return marshalled(t, objects), nil
}

func onDisk(t *testing.T, tree *protocol.Tree) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range tree.Files {
		writeFile(t, filepath.Join(root, name), []byte(content))
	}
	for name, target := range tree.Links {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// afterUpstream are sets that the controller refuses or shortens after the substitution itself.
var afterUpstream = map[string]bool{"not-an-object": true, "loses-identity": true, "collides": true, "number-name": true}

// TestSubstitutesAsUpstream holds every set without unknown variables against fluxcd/pkg/kustomize.
func TestSubstitutesAsUpstream(t *testing.T) {
	for _, directory := range cases(t, "substitute") {
		for _, set := range readRequest(t, directory).Sets {
			if len(set.Symbolic) > 0 || set.Open || set.CommonMetadata != nil || afterUpstream[filepath.Base(directory)] {
				continue
			}
			t.Run(filepath.Base(directory)+"/"+set.Key, func(t *testing.T) {
				response, _ := serve.New("test").Answer(protocol.Request{Method: "substitute", Sets: []protocol.Set{set}})
				result := response.Results.([]protocol.SetResult)[0]
				expected, err := upstreamSubstitution(t, set)
				switch {
				case (err == nil) != (result.Error == nil):
					t.Errorf("upstream says %v, we say %v", err, result.Error)
				case err == nil && !sameJSON(t, expected, marshalled(t, result.Objects)):
					t.Errorf("upstream makes\n%s\nwe make\n%s", expected, marshalled(t, result.Objects))
				}
			})
		}
	}
}

func upstreamSubstitution(t *testing.T, set protocol.Set) ([]byte, error) {
	t.Helper()
	variables := map[string]any{}
	for name, value := range set.Variables {
		variables[name] = value
	}
	kustomization := unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"postBuild": map[string]any{"substitute": variables}},
	}}
	var objects []json.RawMessage
	for _, object := range set.Objects {
		resource, err := provider.NewDefaultDepProvider().GetResourceFactory().FromBytes(object)
		if err != nil {
			t.Fatal(err)
		}
		_, err = upstream.SubstituteVariables(context.Background(), nil, kustomization, resource,
			upstream.SubstituteWithDryRun(true), upstream.SubstituteWithStrict(set.Strict), upstream.SubstituteWithAlways(set.Always))
		if err != nil {
			return nil, err
		}
		content, err := resource.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, content)
	}
	return marshalled(t, objects), nil
}

func marshalled(t *testing.T, objects []json.RawMessage) []byte {
	t.Helper()
	content, err := json.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
