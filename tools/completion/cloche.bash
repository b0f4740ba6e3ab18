# bash completion for cloche(1)

_cloche_ids()
{
	cloche ls 2>/dev/null </dev/null | awk 'NR > 1 { print $1 }'
}

_cloche_names() # of policies
{
	cloche policy list 2>/dev/null </dev/null | awk 'NR > 1 { print $1 }'
}

_cloche()
{
	local word=$2 previous=$3 command='' i words=''
	local all='--url --key-file --json --help'
	local sandbox='--template --policy --label --memory --disk --cpu --pids --env --timeout'
	local filters='--sandbox --tenant --type --verdict --since'
	local inside='--cwd --uid --gid --no-stdin --output-limit --env --timeout'
	COMPREPLY=()

	# the command: its first word, or two for groups; after "--" comes a command line
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			_command_offset $((i + 1)) 2>/dev/null
			return
			;;
		--url | --key-file) ((i++)) ;;
		-*) ;;
		policy | template | tenant | key | audit | webhook)
			[ -n "$command" ] || command=${COMP_WORDS[i]}
			;;
		*)
			case $command in
			'') command=${COMP_WORDS[i]} ;;
			policy | template | tenant | key | audit | webhook) command+=" ${COMP_WORDS[i]}" ;;
			esac
			;;
		esac
	done

	case $previous in
	--key-file | --cwd | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--template | --language)
		mapfile -t COMPREPLY < <(compgen -W 'python node shell' -- "$word")
		return
		;;
	--policy | --shadow)
		mapfile -t COMPREPLY < <(compgen -W "$(_cloche_names)" -- "$word")
		return
		;;
	--sandbox)
		mapfile -t COMPREPLY < <(compgen -W "$(_cloche_ids)" -- "$word")
		return
		;;
	esac

	case $command in
	'') words='run create ls get set port exec code rm logs events audit syscalls top usage policy templates template tenant
		webhook key status version help' ;;
	run) words="$sandbox $inside --keep --" ;;
	create) words=$sandbox ;;
	ls) words='--label' ;;
	get | rm | port) words=$(_cloche_ids) ;;
	set) words="$(_cloche_ids) --policy --shadow --no-shadow" ;;
	exec) words="$(_cloche_ids) $inside --shell --detach --" ;;
	code)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		words="--language --sandbox $sandbox"
		;;
	logs) words="$(_cloche_ids) --follow" ;;
	events) words="$filters --follow --after --until --limit" ;;
	audit) words='export tail verify proof stream checkpoint keys rotate-key' ;;
	'audit export') words="$filters --until --after --format --output" ;;
	'audit tail') words=$filters ;;
	'audit verify')
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		words='--key --witness --max-gap --sealed --sandbox'
		;;
	'audit proof') words='--size --output' ;;
	'audit stream') words='--output' ;;
	'audit keys') words='--save' ;;
	syscalls) words=$(_cloche_ids) ;;
	top) words='--tenant --sort --interval --once' ;;
	usage) words="$(_cloche_ids) --tenant --all --group-by --since --until --step --csv" ;;
	policy) words='list show reload apply promote drop rollback versions shadow check fmt explain diff test compile replay learn' ;;
	'policy check' | 'policy fmt' | 'policy explain' | 'policy diff' | 'policy test' | 'policy compile' | 'policy replay' | 'policy learn' | 'policy apply')
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		case $command in
		'policy check') words='--sarif' ;;
		'policy fmt') words='--check' ;;
		'policy apply') words='--stage --if-match --commit' ;;
		'policy explain') words='--would' ;;
		'policy test') words='--mutate' ;;
		'policy compile') words='--output' ;;
		'policy replay') words='--audit --label --template --sandbox --examples' ;;
		'policy learn') words='--from --label --template --sandbox --name --wildcard-after --directory-after --output' ;;
		esac
		;;
	'policy versions' | 'policy shadow' | 'policy drop') words=$(_cloche_names) ;;
	'policy show') words="$(_cloche_names) --staged" ;;
	'policy rollback' | 'policy promote') words="$(_cloche_names) --if-match --commit" ;;
	tenant) words='create set ls rm' ;;
	key) words='create ls rm' ;;
	'tenant create') words='--policy --sandboxes-max --budget' ;;
	'tenant set') words='--budget --no-budgets --shadow' ;;
	template) words='set' ;;
	'template set') words='--shadow' ;;
	webhook) words='add ls rm' ;;
	'webhook add') words='--type --verdict --tenant --format --after --internal' ;;
	'key create') words='--tenant --description --administrator' ;;
	'key ls') words='--tenant' ;;
	esac
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words $all" -- "$word")
}

complete -F _cloche cloche
