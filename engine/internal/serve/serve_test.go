package serve_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
	slices.SortFunc(responses, func(a, b protocol.Response) int { return a.ID - b.ID })
	for i, response := range responses[1:] {
		if response.ID != i+1 || response.Version != "test" {
			t.Errorf("an answer is %+v", response)
		}
	}
	if failure := responses[0].Error; failure == nil || failure.Code != protocol.InvalidRequest {
		t.Errorf("the error is %v", failure)
	}
}

func TestARequestDoesNotWaitForOneBeforeIt(t *testing.T) {
	slow := protocol.Request{ID: 1, Method: "build", Tree: &protocol.Tree{Files: manyObjects()}, Builds: []protocol.Build{
		{Key: "slow", Kustomization: []byte(`{"spec": {"path": "many"}}`)},
	}}
	line, err := json.Marshal(slow)
	if err != nil {
		t.Fatal(err)
	}

	responses, err := answers(t, string(line)+"\n{\"id\":2,\"method\":\"hello\"}\n")

	if err != nil || len(responses) != 2 || responses[0].ID != 2 || responses[1].ID != 1 {
		t.Errorf("%d answers, %v", len(responses), err)
	}
}

func TestWhatWasStoredIsThereForTheNextLine(t *testing.T) {
	var input strings.Builder
	for i := range 50 {
		digest := fmt.Sprint("t", i)
		_, _ = fmt.Fprintf(&input, `{"id":%d,"method":"store","texts":{"c":""},"trees":{%q:{"files":{"a/kustomization.yaml":"c"}}}}`+"\n", 2*i, digest)
		_, _ = fmt.Fprintf(&input, `{"id":%d,"method":"kustomize","treeDigest":%q,"path":"a"}`+"\n", 2*i+1, digest)
	}

	responses, err := answers(t, input.String())

	if err != nil || len(responses) != 100 {
		t.Fatalf("%d answers, %v", len(responses), err)
	}
	for _, response := range responses {
		if failure := response.Error; failure != nil && failure.Code == protocol.InvalidRequest {
			t.Errorf("request %d was refused: %v", response.ID, failure)
		}
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
	// The input stays open: the process must end by itself.
	input, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = input.Close() }()
	go func() { _, _ = input.Write(append(line, '\n')) }()
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
