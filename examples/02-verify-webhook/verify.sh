#!/usr/bin/env bash
# Verifies a webhook with openssl alone; exit code 0 where it verifies.
#
#   verify.sh SECRET_FILE ID TIMESTAMP SIGNATURES BODY_FILE
#
# ID, TIMESTAMP and SIGNATURES are the headers webhook-id, webhook-timestamp and webhook-signature.
set -euo pipefail
secret_file=$1 id=$2 timestamp=$3 signatures=$4 body_file=$5

[[ $timestamp =~ ^[0-9]+$ ]] || { echo "the timestamp is no number of seconds" >&2; exit 1; }
age=$(($(date +%s) - timestamp))
((age <= 300 && age >= -300)) || { echo "the timestamp is more than five minutes away" >&2; exit 1; }

# The secret is base64 behind whsec_; openssl wants its bytes in hexadecimal.
key=$(sed 's/^whsec_//' "$secret_file" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
# The exact bytes of the body: a shell variable would lose line ends and zeros.
expected=v1,$({ printf '%s.%s.' "$id" "$timestamp"; cat "$body_file"; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
for signature in $signatures; do
    if [ "$signature" = "$expected" ]; then exit 0; fi
done
echo "no signature matches" >&2
exit 1
