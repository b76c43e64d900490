package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// manifests decodes each document into the type of its kind, strictly, and prints one line for each object.
func manifests(in io.Reader, out io.Writer) error {
	decode, err := strictDecoder()
	if err != nil {
		return err
	}
	reader := documents.NewYAMLReader(bufio.NewReader(in))
	var wrong []error
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(wrong...)
		}
		if err != nil {
			return err
		}
		if line, err := decode(document); err != nil {
			wrong = append(wrong, err)
		} else if line != "" {
			fmt.Fprintln(out, line)
		}
	}
}

func strictDecoder() (func([]byte) (string, error), error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, apps.AddToScheme, networking.AddToScheme, policy.AddToScheme, autoscaling.AddToScheme,
		monitoring.AddToScheme, gateway.Install,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	serializer := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	return func(document []byte) (string, error) {
		if isEmpty(document) {
			return "", nil
		}
		object, kind, err := serializer.Decode(document, nil, nil)
		if err != nil {
			return "", fmt.Errorf("%w in:\n%s", err, document)
		}
		named, ok := object.(meta.Object)
		if !ok || named.GetName() == "" {
			return "", fmt.Errorf("a %s has no name", kind.Kind)
		}
		return fmt.Sprintf("%s/%s", kind.Kind, named.GetName()), nil
	}, nil
}

// isEmpty tells whether a document has nothing but comments.
func isEmpty(document []byte) bool {
	var any map[string]interface{}
	return documents.Unmarshal(document, &any) == nil && len(any) == 0
}
