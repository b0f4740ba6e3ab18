# bash completion for cloche-verify(1)

_cloche_verify()
{
	local word=$2 previous=$3 command=log i words='--key --keys --json'
	COMPREPLY=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		log | stream | proof | consistency)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	case $previous in
	--key | --witness | --proofs | --proof)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--keys | --tiles)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--max-gap | --sandbox | --from | --to)
		return
		;;
	esac

	case $command in
	log) words+=' --witness --max-gap --sealed --sandbox --from --to --help --version' ;;
	stream) words+=' --proofs' ;;
	consistency) words+=' --tiles --proof' ;;
	esac
	((COMP_CWORD > 1)) || words+=' log stream proof consistency'
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; compgen -f -- "$word")
}

complete -F _cloche_verify cloche-verify
