package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/isthmus-ffi/isthmus/docs/checks"
	"github.com/isthmus-ffi/isthmus/internal/plugins"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how to use the script.
func (completionCmd) Help() string {
	return `Load it with

    source <(isthmus completion bash)
    source <(isthmus completion zsh)
    isthmus completion fish | source`
}

// node is one command with what may follow it.
type node struct {
	path  string // "plugin install"
	words []string
	helps []string // one a word
	flags map[string]*kong.Flag
}

func (n *node) add(words []string, help string) {
	for _, w := range words {
		n.words, n.helps = append(n.words, w), append(n.helps, help)
	}
}

// Run prints the script, made from the grammar itself.
func (c *completionCmd) Run(k *kong.Kong, s *streams) error {
	var nodes []node
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		d := node{path: path, flags: map[string]*kong.Flag{}}
		for _, child := range n.Children {
			d.add([]string{child.Name}, child.Help)
			walk(child, strings.TrimSpace(path+" "+child.Name))
		}
		flags := n.Flags
		if n.DefaultCmd != nil { // its options follow the group's name too
			for _, f := range n.DefaultCmd.Flags {
				if f.Name != "help" {
					flags = append(flags[:len(flags):len(flags)], f)
				}
			}
		}
		for _, f := range flags {
			d.add([]string{"--" + f.Name}, f.Help)
			d.flags["--"+f.Name] = f
		}
		switch path {
		case "devices", "conform", "plugin inspect":
			d.add(names(), "device")
		case "explain":
			d.add(checks.IDs(), "rule")
		case "plugin install", "plugin path":
			for _, p := range plugins.Known() {
				d.add([]string{p.Name}, p.Title)
			}
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				d.add(strings.Split(p.Enum, ","), p.Help)
			}
		}
		nodes = append(nodes, d)
	}
	walk(k.Model.Node, "")
	switch c.Shell {
	case "fish":
		return fish(s.out, nodes)
	case "zsh":
		fmt.Fprintln(s.out, "autoload -U +X compinit && compinit -u\nautoload -U +X bashcompinit && bashcompinit")
	}
	return bash(s.out, nodes)
}

// bash completes words of the command so far, and file names after options that take one. Words are kept apart by
// newlines, because file names may have spaces in them.
func bash(w io.Writer, nodes []node) error {
	fmt.Fprintf(w, `_isthmus() {
  local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= words= i
  if [ "$cur" = = ]; then
    cur=
  elif [ "$prev" = = ]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in -*) break ;; *) at="${at:+$at }${COMP_WORDS[i]}" ;; esac
  done
  case $prev in
    --input | -i | --output | -o | --wheel | --library | --html | --diff | --trace | --census | --trend | --baseline | --policy | --import | --with-runtime | --header) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --device) COMPREPLY=($(compgen -W '%s' -- "$cur") $(compgen -f -- "$cur")); return ;;
    --random | --repeat | --memory-limit) COMPREPLY=(); return ;;
  esac
  case $at in
`, strings.Join(names(), "\n"))
	for _, n := range nodes {
		match := "'" + n.path + "'"
		if n.path != "" {
			match += " | '" + n.path + " '*"
		}
		fmt.Fprintf(w, "    %s) words='%s' ;;\n", match, strings.Join(n.words, "\n"))
	}
	_, err := fmt.Fprint(w, `  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  case $at in 'audit diff'* | 'audit import'* | run* | compile* | devices* | conform* | 'plugin inspect'*) COMPREPLY+=($(compgen -f -- "$cur")) ;; esac
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
			if len(n.flags) == 0 { // of a group only the commands follow, and only one
				cond += "; and not __fish_seen_subcommand_from " + strings.Join(n.words, " ")
			}
		}
		for i, word := range n.words {
			f := n.flags[word]
			if f == nil {
				fmt.Fprintf(w, "complete -c isthmus -n %s -a %s -d %s\n", quote(cond), word, quote(n.helps[i]))
				continue
			}
			option := "-l " + f.Name
			if f.Short != 0 {
				option += " -s " + string(f.Short)
			}
			if !f.IsBool() {
				option += " -r"
			}
			if f.Name == "device" {
				option += " -a " + quote(strings.Join(names(), " "))
			}
			fmt.Fprintf(w, "complete -c isthmus -n %s %s -d %s\n", quote(cond), option, quote(n.helps[i]))
		}
	}
	return nil
}
