package serve_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/remote"
	"github.com/flux-handover/engine/internal/tree"
)

// git is looked up before remote.Seal takes the search path away.
var git, _ = exec.LookPath("git")

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n"

func buildOnline(t *testing.T, files map[string]string) protocol.BuildResult {
	t.Helper()
	content, err := tree.New(&protocol.Tree{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	network := remote.New(true)
	network.Protocols = "file"
	result, err := (&build.Builder{Tree: content, Network: network, Limits: build.Narrowed(nil)}).
		Kustomization(protocol.Build{Key: "x", Kustomization: []byte(`{"spec": {"path": "orchard"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func names(result protocol.BuildResult) string {
	var all []string
	for _, object := range result.Objects {
		_, rest, _ := strings.Cut(string(object), `"name":"`)
		name, _, _ := strings.Cut(rest, `"`)
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestAURLIsFetchedWhereTheNetworkIsAllowed(t *testing.T) {
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		if r.URL.Path != "/pear.yaml" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprintf(w, configMap, "pear")
	}))
	defer server.Close()

	result := buildOnline(t, map[string]string{
		"orchard/kustomization.yaml": "resources:\n  - " + server.URL + "/pear.yaml\n  - apple.yaml\n",
		"orchard/apple.yaml":         fmt.Sprintf(configMap, "apple"),
	})

	if result.Error != nil || names(result) != "pear apple" || served != 1 {
		t.Errorf("objects %q, %d requests, error %v", names(result), served, result.Error)
	}
	if len(result.Remotes) != 1 || result.Remotes[0] != server.URL+"/pear.yaml" {
		t.Errorf("remotes are %v", result.Remotes)
	}
}

func TestAURLThatFailsIsNamedWithItsLine(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()

	result := buildOnline(t, map[string]string{
		"orchard/kustomization.yaml": "patches:\n  - path: " + server.URL + "/patch.yaml\n",
	})

	failure := result.Error
	if failure == nil || failure.Code != protocol.RemoteFailed || failure.File != "orchard/kustomization.yaml" || failure.Line != 2 {
		t.Errorf("the error is %v", failure)
	}
}

func TestARepositoryIsFetchedIntoMemory(t *testing.T) {
	repository := repositoryOf(t, map[string]string{
		"base/kustomization.yaml": "resources: [pear.yaml, ../fig.yaml]\nnamePrefix: far-\n",
		"base/pear.yaml":          fmt.Sprintf(configMap, "pear"),
		"fig.yaml":                fmt.Sprintf(configMap, "fig"),
	})

	result := buildOnline(t, map[string]string{
		"orchard/kustomization.yaml": "resources:\n  - file://" + repository + "//base?ref=v1\n  - ../pears\n",
		"pears/kustomization.yaml":   "resources:\n  - file://" + repository + "//base\nnameSuffix: -again\n",
	})

	if result.Error != nil || names(result) != "far-pear far-fig far-pear-again far-fig-again" {
		t.Errorf("objects %q, error %v", names(result), result.Error)
	}
	for _, read := range result.Reads {
		if strings.Contains(read, "@remote") {
			t.Errorf("a fetched file is among the reads: %s", read)
		}
	}
}

func TestARepositoryOnThisDiskIsRefused(t *testing.T) {
	repository := repositoryOf(t, map[string]string{"kustomization.yaml": "resources: []\n"})
	network := remote.New(true)

	_, err := network.Clone(remote.Repository{URL: "file://" + repository})

	if err == nil || !strings.Contains(err.Error(), "file") {
		t.Errorf("the error is %v", err)
	}
}

func TestAnAbsentRefAndAnAbsentDirectoryFail(t *testing.T) {
	repository := repositoryOf(t, map[string]string{"base/kustomization.yaml": "resources: []\n"})

	for _, rest := range []string{"//base?ref=none", "//none?ref=v1", "//base?ref=--upload-pack=x"} {
		result := buildOnline(t, map[string]string{"orchard/kustomization.yaml": "resources: ['file://" + repository + rest + "']\n"})
		if result.Error == nil || result.Error.Code != protocol.RemoteFailed {
			t.Errorf("%s: the error is %v", rest, result.Error)
		}
	}
}

func repositoryOf(t *testing.T, files map[string]string) string {
	t.Helper()
	if git == "" {
		t.Skip("there is no git")
	}
	directory := onDisk(t, &protocol.Tree{Files: files})
	run := func(arguments ...string) {
		command := exec.Command(git, append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, arguments...)...)
		command.Dir = directory
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", arguments, err, output)
		}
	}
	run("init", "-q", "-b", "main")
	run("add", "-A")
	run("commit", "-q", "-m", "Plant")
	run("tag", "v1")
	return directory
}
