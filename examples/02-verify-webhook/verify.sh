#!/usr/bin/env bash
# Verifies a webhook with openssl alone; exit code 0 where it verifies.
#
#   verify.sh SECRET_FILE ID TIMESTAMP SIGNATURES BODY_FILE
#
# SECRET_FILE holds the shared secret (whsec_) or the public key (whpk_) of the endpoint. ID, TIMESTAMP and SIGNATURES are
# the headers webhook-id, webhook-timestamp and webhook-signature. NOW, in Unix seconds, stands in for the clock.
set -euo pipefail
secret_file=$1 id=$2 timestamp=$3 signatures=$4 body_file=$5

[[ $timestamp =~ ^[0-9]+$ ]] || { echo "the timestamp is no number of seconds" >&2; exit 1; }
age=$((${NOW:-$(date +%s)} - timestamp))
((age <= 300 && age >= -300)) || { echo "the timestamp is more than five minutes away" >&2; exit 1; }

# The bytes of a secret, which are base64 behind its prefix, in hexadecimal.
hexadecimal() { sed 's/^wh[a-z]*_//' "$secret_file" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n'; }
# The exact bytes of the body: a shell variable would lose line ends and zeros.
content() { printf '%s.%s.' "$id" "$timestamp"; cat "$body_file"; }

if [[ $(head -c 5 "$secret_file") == whpk_ ]]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    content >"$folder/content"
    # A public key in DER is these twelve bytes and the key.
    { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'
        sed 's/^whpk_//' "$secret_file" | openssl base64 -d -A; } >"$folder/key"
    for signature in $signatures; do
        [[ $signature == v1a,* ]] || continue
        printf %s "${signature#v1a,}" | openssl base64 -d -A >"$folder/signature"
        if openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$folder/key" -in "$folder/content" \
            -sigfile "$folder/signature" >/dev/null 2>&1; then exit 0; fi
    done
else
    expected=v1,$(content | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(hexadecimal)" -binary | openssl base64 -A)
    for signature in $signatures; do
        if [ "$signature" = "$expected" ]; then exit 0; fi
    done
fi
echo "no signature matches" >&2
exit 1
