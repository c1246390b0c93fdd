package build

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
)

// lineOfSyntaxError parses a whole file, because kustomize counts lines from the start of a document.
func lineOfSyntaxError(content []byte) int {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return 0
		}
		if err != nil {
			return lineOf(err.Error())
		}
	}
}

// lineOfKey is the line of the first mapping key of that name.
func lineOfKey(content []byte, key string) int {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return 0
		}
		if line := keyIn(&document, key); line > 0 {
			return line
		}
	}
}

func keyIn(node *yaml.Node, key string) int {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i].Line
			}
		}
	}
	for _, element := range node.Content {
		if line := keyIn(element, key); line > 0 {
			return line
		}
	}
	return 0
}

// lineOfDocument is where the first document begins that is as asked for.
func lineOfDocument(content []byte, wanted func(root *yaml.Node) bool) int {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return 0
		}
		if len(document.Content) == 1 && wanted(document.Content[0]) {
			return document.Content[0].Line
		}
	}
}

func incomplete(root *yaml.Node) bool {
	return scalar(root, "kind") == "" || scalar(root, "apiVersion") == "" || scalar(child(root, "metadata"), "name") == ""
}

func named(kind, name string) func(*yaml.Node) bool {
	return func(root *yaml.Node) bool {
		return scalar(root, "kind") == kind && scalar(child(root, "metadata"), "name") == name
	}
}

func scalar(mapping *yaml.Node, key string) string {
	if node := child(mapping, key); node != nil && node.Kind == yaml.ScalarNode {
		return node.Value
	}
	return ""
}
