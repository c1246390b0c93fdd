package serve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flux-handover/engine/internal/build"
	"github.com/flux-handover/engine/internal/protocol"
	"github.com/flux-handover/engine/internal/serve"
)

func answers(t *testing.T, input string) ([]protocol.Response, error) {
	t.Helper()
	var output strings.Builder
	err := serve.Lines("test", strings.NewReader(input), &output)
	var responses []protocol.Response
	for _, line := range strings.Split(strings.TrimSuffix(output.String(), "\n"), "\n") {
		if line == "" {
			continue
		}
		var response protocol.Response
		if err := json.Unmarshal([]byte(line), &response); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		responses = append(responses, response)
	}
	return responses, err
}

func TestEachLineHasOneAnswer(t *testing.T) {
	responses, err := answers(t, "{\"id\":1,\"method\":\"hello\"}\n\n{\"id\":2,\"method\":\"hello\"}\nnot json\n{\"id\":3,\"method\":\"hello\"}")

	if err != nil || len(responses) != 4 {
		t.Fatalf("%d answers, %v", len(responses), err)
	}
	if responses[0].ID != 1 || responses[1].ID != 2 || responses[3].ID != 3 || responses[0].Version != "test" {
		t.Errorf("answers are %+v", responses)
	}
	if failure := responses[2].Error; failure == nil || failure.Code != protocol.InvalidRequest {
		t.Errorf("the error is %v", failure)
	}
}

func TestALongLineIsOneRequest(t *testing.T) {
	request := protocol.Request{ID: 7, Method: "build", Tree: &protocol.Tree{Files: map[string]string{"a": strings.Repeat("x", 3<<20)}}}
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}

	responses, err := answers(t, string(line)+"\n")

	if err != nil || len(responses) != 1 || responses[0].ID != 7 || responses[0].Error != nil {
		t.Errorf("answers are %+v, %v", responses, err)
	}
}

// manyObjects takes longer to build than a millisecond.
func manyObjects() map[string]string {
	var text strings.Builder
	for i := range 2000 {
		_, _ = fmt.Fprintf(&text, configMap+"---\n", fmt.Sprint("c", i))
	}
	return map[string]string{"many/a.yaml": text.String()}
}

func TestABuildThatDoesNotEndIsAnsweredAndEndsTheProcess(t *testing.T) {
	request := protocol.Request{
		Method: "build",
		Tree:   &protocol.Tree{Files: manyObjects()},
		Builds: []protocol.Build{
			{Key: "slow", Kustomization: []byte(`{"spec": {"path": "many"}}`)},
			{Key: "next", Kustomization: []byte(`{"spec": {"path": "many"}}`)},
		},
		Limits: &protocol.RequestedLimit{BuildSeconds: 0.001},
	}
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}

	// In a process of its own: the build goes on, and would disturb those of other tests.
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), asEngine+"=1")
	program.Stdin = strings.NewReader(string(line) + "\n" + `{"method":"hello"}` + "\n")
	output, err := program.Output()

	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || strings.Count(string(output), "\n") != 1 {
		t.Fatalf("%d answers, %v", strings.Count(string(output), "\n"), err)
	}
	var response protocol.Response
	if err := json.Unmarshal(output, &response); err != nil {
		t.Fatal(err)
	}
	results := response.Results.([]any)
	for _, result := range results {
		failure := result.(map[string]any)["error"].(map[string]any)
		if failure["code"] != string(protocol.LimitExceeded) {
			t.Errorf("the error is %v", failure)
		}
	}
	if len(results) != 2 {
		t.Errorf("%d results", len(results))
	}
}

func TestLimitsCannotBeWidened(t *testing.T) {
	limits := build.Narrowed(&protocol.RequestedLimit{BuildSeconds: 1e6, Objects: 1e9})

	if limits.Duration != build.MaxSeconds || limits.Objects != build.MaxObjects {
		t.Errorf("limits are %+v", limits)
	}
}

func TestTheSameRequestHasTheSameAnswer(t *testing.T) {
	for _, directory := range cases(t, "build") {
		request := readRequest(t, directory)
		first, _ := serve.New("test").Answer(request)
		second, _ := serve.New("test").Answer(request)
		if !sameJSON(t, indented(t, first), indented(t, second)) {
			t.Errorf("%s: two answers differ", directory)
		}
	}
}
