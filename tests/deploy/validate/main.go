// Reads files as the programs that they are for would, and says what those would not take.
//
//	validate manifests <rendered.yaml   Kubernetes objects: known kinds, no unknown or misplaced field
//	validate compose FILE               a compose file, by the library of `docker compose`
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "manifests":
		return manifests(os.Stdin, os.Stdout)
	case len(arguments) == 2 && arguments[0] == "compose":
		return compose(arguments[1], os.Stdout)
	}
	return fmt.Errorf("usage: validate manifests | validate compose FILE")
}
