package main

import (
	"context"
	"fmt"
	"io"

	"github.com/compose-spec/compose-go/v2/cli"
)

// compose loads a file as `docker compose config` does, and prints one line for each service.
func compose(path string, out io.Writer) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithName("berth"), cli.WithResolvedPaths(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for _, name := range project.ServiceNames() {
		service := project.Services[name]
		if service.Image == "" && service.Build == nil {
			return fmt.Errorf("service %s has neither image nor build", name)
		}
		fmt.Fprintln(out, name)
	}
	return nil
}
