"""`cosmosq completion`: the scripts by which shells complete words; they ask cosmosq itself, which asks `suggest`."""

import click

from cosmosq.cli import output
from cosmosq.cli.parsing import OneOf

# Click's own scripts break `-s guidance=3` into three words (bash), put a space behind `guidance=` (bash, zsh), cut
# values and help at a comma (fish), and show tracebacks of a broken installation among what was typed.

BASH = r"""# Completion of cosmosq for bash from 4.4 on. Install it once, and open a new shell:
#     cosmosq completion bash > ~/.local/share/bash-completion/completions/cosmosq
# or, without the package bash-completion, put this line into ~/.bashrc:
#     eval "$(cosmosq completion bash)"
_cosmosq_completion() {
    local line=${COMP_LINE:0:COMP_POINT} type value
    local typed=${line##*[[:space:]]}
    # An empty word has begun behind a space.
    [[ -n $typed ]] || line+="''"
    local is_quoted=
    [[ $typed != [\'\"]* ]] || is_quoted=yes
    # Bash breaks words at = and :, and wants what is behind them.
    [[ $typed != --*=* ]] || typed=${typed#*=}
    local begun=${typed%"${typed##*[=:]}"}
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
            plain)
                [[ $value != *= ]] || compopt -o nospace
                value=${value#"$begun"}
                [[ -n $is_quoted || $value != *[!-[:alnum:]_.,:=/+@]* ]] || printf -v value %q "$value"
                COMPREPLY+=("$value")
                ;;
        esac
    done < <(env COMP_WORDS="$line" COMP_CWORD=-1 _COSMOSQ_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _cosmosq_completion cosmosq
"""

ZSH = r"""#compdef cosmosq
# Completion of cosmosq for zsh. Install it once into a folder of fpath, and open a new shell:
#     mkdir -p ~/.zfunc && cosmosq completion zsh > ~/.zfunc/_cosmosq
# with these lines in ~/.zshrc:
#     fpath+=(~/.zfunc)
#     autoload -Uz compinit && compinit
_cosmosq_completion() {
    local type value help
    local -a response plain described begun
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \
        _COSMOSQ_COMPLETE=zsh_complete "${words[1]}" 2>/dev/null)}")
    # What is completed is the value.
    [[ $PREFIX != --*=* ]] || compset -P 1 '*='
    for type value help in $response; do
        case $type in
            file) _path_files -f ;;
            dir) _path_files -/ ;;
            plain)
                if [[ $help == _ ]]; then
                    plain+=("$value")
                elif [[ $value == *= ]]; then
                    begun+=("$value:$help")
                else
                    described+=("$value:$help")
                fi
                ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described
    # The value follows right behind.
    (( $#begun )) && _describe -V unsorted begun -S ''
    (( $#plain )) && compadd -V unsorted -a plain
}
if [[ $funcstack[1] == _cosmosq ]]; then
    _cosmosq_completion "$@"
else
    compdef _cosmosq_completion cosmosq
fi
"""

FISH = r"""# Completion of cosmosq for fish. Install it once, and open a new shell:
#     cosmosq completion fish > ~/.config/fish/completions/cosmosq.fish
function _cosmosq_completion
    set -l response (env COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
        _COSMOSQ_COMPLETE=fish_complete cosmosq 2>/dev/null)
    # What is completed is the value, but fish wants the whole word.
    set -l option (string match -r -- '^--[^=]+=' (commandline -t))
    for line in $response
        set -l item (string split -m 1 , -- $line)
        set -l found $item[2]
        switch $item[1]
            case file
                set found (__fish_complete_path $item[2])
            case dir
                set found (__fish_complete_directories $item[2])
        end
        string replace -r -- '^' "$option" $found
    end
end
complete --no-files --keep-order --command cosmosq --arguments '(_cosmosq_completion)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@click.command()
@click.argument("shell", type=OneOf(list(SCRIPTS)), metavar="bash|zsh|fish")
def completion(shell: str) -> None:
    """Let a shell complete commands, ids and names.

    Prints the script for bash, zsh or fish; its first lines say where to put it. Jobs, prompts, clips, sweeps,
    schedules, hosts, labels, measures and parameters are completed as the workspace has them at that moment.
    """
    output.emit_raw(SCRIPTS[shell])
