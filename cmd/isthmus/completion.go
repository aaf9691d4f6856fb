package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how to use the script.
func (completionCmd) Help() string {
	return `bash: source <(isthmus completion bash)
zsh:  source <(isthmus completion zsh)
fish: isthmus completion fish | source`
}

// node is one command with what may follow it.
type node struct {
	path  string // "plugin install"
	words []string
	helps []string // one a word
}

// Run prints the script, made from the grammar itself.
func (c *completionCmd) Run(k *kong.Kong, s *streams) error {
	var nodes []node
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		d := node{path: path}
		for _, child := range n.Children {
			d.words = append(d.words, child.Name)
			d.helps = append(d.helps, child.Help)
			walk(child, strings.TrimSpace(path+" "+child.Name))
		}
		for _, f := range n.Flags {
			d.words = append(d.words, "--"+f.Name)
			d.helps = append(d.helps, f.Help)
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				for _, e := range strings.Split(p.Enum, ",") {
					d.words = append(d.words, e)
					d.helps = append(d.helps, p.Help)
				}
			}
		}
		nodes = append(nodes, d)
	}
	walk(k.Model.Node, "")
	switch c.Shell {
	case "fish":
		return fish(s.out, nodes)
	case "zsh":
		fmt.Fprintln(s.out, "autoload -U +X bashcompinit && bashcompinit")
	}
	return bash(s.out, nodes)
}

// bash completes words of the command so far, and file names after options that take one.
func bash(w io.Writer, nodes []node) error {
	fmt.Fprint(w, `_isthmus() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in -*) break ;; *) path="${path:+$path }${COMP_WORDS[i]}" ;; esac
  done
  case $prev in
    --input | -i | --output | -o | --wheel) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --device) COMPREPLY=($(compgen -W "`+strings.Join(names(), " ")+`" -f -- "$cur")); return ;;
  esac
  local words=
  case $path in
`)
	for _, n := range nodes {
		if n.path == "" {
			fmt.Fprintf(w, "    '') words='%s' ;;\n", strings.Join(n.words, " "))
			continue
		}
		fmt.Fprintf(w, "    '%s' | '%s '*) words='%s' ;;\n", n.path, n.path, strings.Join(n.words, " "))
	}
	_, err := fmt.Fprint(w, `  esac
  COMPREPLY=($(compgen -W "$words" -f -- "$cur"))
}
complete -o filenames -F _isthmus isthmus
`)
	return err
}

func fish(w io.Writer, nodes []node) error {
	quote := func(s string) string {
		return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`) + "'"
	}
	for _, n := range nodes {
		cond := "__fish_use_subcommand"
		if n.path != "" {
			parts := strings.Fields(n.path)
			cond = "__fish_seen_subcommand_from " + parts[len(parts)-1]
		}
		for i, word := range n.words {
			if flag, ok := strings.CutPrefix(word, "--"); ok {
				fmt.Fprintf(w, "complete -c isthmus -n %s -l %s -d %s\n", quote(cond), flag, quote(n.helps[i]))
			} else {
				fmt.Fprintf(w, "complete -c isthmus -n %s -a %s -d %s\n", quote(cond), word, quote(n.helps[i]))
			}
		}
	}
	_, err := fmt.Fprintf(w, "complete -c isthmus -l device -xa %s\n", quote(strings.Join(names(), " ")))
	return err
}
