package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/flux-handover/engine/internal/protocol"
)

const substituteKey = "kustomize.toolkit.fluxcd.io/substitute"

// withCommonMetadata sets labels and annotations on every object, as
// fluxcd/pkg:ssa/utils/meta.go#SetCommonMetadata@v0.76.1 does after substitution. The mark that stops
// substitution is left to the substitution, if there will be one: it comes too late to stop it.
func withCommonMetadata(objects []json.RawMessage, spec *Spec) ([]json.RawMessage, error) {
	common := spec.CommonMetadata
	if common == nil {
		return objects, nil
	}
	if len(spec.PostBuild) > 0 && string(spec.PostBuild) != "null" {
		common = &protocol.CommonMetadata{Labels: maps.Clone(common.Labels), Annotations: maps.Clone(common.Annotations)}
		delete(common.Labels, substituteKey)
		delete(common.Annotations, substituteKey)
	}
	marked := make([]json.RawMessage, len(objects))
	for i, object := range objects {
		content, err := SetCommonMetadata(object, common)
		if err != nil {
			return nil, err
		}
		marked[i] = content
	}
	return marked, nil
}

// SetCommonMetadata returns the object with labels and annotations added; they win over its own.
func SetCommonMetadata(object json.RawMessage, common *protocol.CommonMetadata) (json.RawMessage, error) {
	if len(common.Labels) == 0 && len(common.Annotations) == 0 {
		return object, nil
	}
	var content map[string]any
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if err := decoder.Decode(&content); err != nil {
		return nil, fmt.Errorf("object is not a JSON object: %w", err)
	}
	metadata, ok := content["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		content["metadata"] = metadata
	}
	setAll(metadata, "labels", common.Labels)
	setAll(metadata, "annotations", common.Annotations)
	return json.Marshal(content)
}

func setAll(metadata map[string]any, field string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	marks, ok := metadata[field].(map[string]any)
	if !ok {
		marks = map[string]any{}
		metadata[field] = marks
	}
	for key, value := range values {
		marks[key] = value
	}
}
