package remote_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/remote"
)

// The table is of kustomize's own documentation and tests: examples/remoteBuild.md and
// api/internal/git/repospec_test.go@api/v0.21.1.
func TestRepositories(t *testing.T) {
	for reference, expected := range map[string]remote.Repository{
		"https://github.com/example/farm":                             {URL: "https://github.com/example/farm"},
		"https://github.com/example/farm?ref=v1":                      {URL: "https://github.com/example/farm", Ref: "v1"},
		"https://github.com/example/farm?version=v1":                  {URL: "https://github.com/example/farm", Ref: "v1"},
		"https://github.com/example/farm?version=v1&ref=v2":           {URL: "https://github.com/example/farm", Ref: "v2"},
		"https://github.com/example/farm/a/b?ref=v1":                  {URL: "https://github.com/example/farm", Path: "a/b", Ref: "v1"},
		"https://github.com/example/farm//a/b":                        {URL: "https://github.com/example/farm", Path: "a/b"},
		"https://github.com/example/farm.git/a":                       {URL: "https://github.com/example/farm.git", Path: "a"},
		"github.com/example/farm//a?ref=v1":                           {URL: "https://github.com/example/farm", Path: "a", Ref: "v1"},
		"GitHub.com/example/farm":                                     {URL: "https://github.com/example/farm"},
		"http://github.com/example/farm":                              {URL: "https://github.com/example/farm"},
		"github.com:example/farm":                                     {URL: "https://github.com/example/farm"},
		"git@github.com:example/farm.git//a":                          {URL: "git@github.com:example/farm.git", Path: "a"},
		"ssh://git@github.com/example/farm":                           {URL: "git@github.com:example/farm"},
		"git::https://git.example.org/example/farm":                   {URL: "https://git.example.org/example/farm"},
		"git::git@git.example.org:example/farm//a":                    {URL: "git@git.example.org:example/farm", Path: "a"},
		"ssh://git@git.example.org:7999/example/farm":                 {URL: "ssh://git@git.example.org:7999/example/farm"},
		"https://git.example.org/group/sub/farm.git//a":               {URL: "https://git.example.org/group/sub/farm.git", Path: "a"},
		"https://me@dev.azure.com/org/project/_git/farm/a/b":          {URL: "https://me@dev.azure.com/org/project/_git/farm", Path: "a/b"},
		"file:///srv/farm":                                            {URL: "file:///srv/farm"},
		"file:///srv/farm//a?ref=main":                                {URL: "file:///srv/farm", Path: "a", Ref: "main"},
		"https://raw.example.org/example/farm/main/crds/part-of.yaml": {URL: "https://raw.example.org/example/farm", Path: "main/crds/part-of.yaml"},
	} {
		if actual, ok := remote.ParseRepository(reference); !ok || actual != expected {
			t.Errorf("%s is %+v, %v", reference, actual, ok)
		}
	}
}

func TestLocalPaths(t *testing.T) {
	for _, reference := range []string{
		"", ".", "..", "../base", "./a.yaml", "a/b/c", "/etc/passwd", "github.company/a/b", "https", "https:/a/b",
		"https://github.com/example", "git@host", "user@host/a.yaml", "https://github.com/example/farm//../../out",
		"oci://registry.example/a/b", "c:/a/b", "a:b/c",
	} {
		if actual, ok := remote.ParseRepository(reference); ok {
			t.Errorf("%s is taken for %+v", reference, actual)
		}
	}
}

func TestFiles(t *testing.T) {
	for reference, expected := range map[string]bool{
		"https://example.org/a.yaml": true, "http://example.org": true, "HTTPS://example.org/a": true,
		"ftp://example.org/a": false, "github.com/a/b": false, "a.yaml": false, "git::https://example.org/a": false, "": false,
	} {
		if remote.IsFile(reference) != expected {
			t.Errorf("%q: %v", reference, !expected)
		}
	}
}

func TestASealedProcessReachesNothing(t *testing.T) {
	remote.Seal()

	if _, err := http.Get("http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "network refused") {
		t.Errorf("the error is %v", err)
	}
	if program, err := exec.LookPath("git"); err == nil {
		t.Errorf("git is found: %s", program)
	}
}
