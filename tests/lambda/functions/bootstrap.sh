#!/bin/bash
# A bash runtime with curl, as custom runtimes begin; see bootstrap.py for what it is to do.
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime

report() {
    curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Error-Type: Unhandled' \
        -H 'Content-Type: application/json' \
        -d '{"errorMessage":"asked to fail","errorType":"ValueError","stackTrace":[]}' "$api/$1"
}

if [ -n "$FAIL_INIT" ]; then
    report init/error
    exit 1
fi
while reply=$(curl -sS -i "$api/invocation/next"); do
    event=${reply#*$'\r\n\r\n'}
    [[ $reply =~ [Rr]equest-[Ii]d:\ ([^$'\r']*) ]] || exit 1
    id=${BASH_REMATCH[1]}
    case $event in
        *'"do":"crash"'*) exit 3 ;;
        *'"do":"fail"'*) report "invocation/$id/error" ;;
        *) curl -sS -o /dev/null -d "{\"runtime\":\"bash\",\"event\":$event,\"filler\":${#FILLER}}" \
            "$api/invocation/$id/response" ;;
    esac
done
