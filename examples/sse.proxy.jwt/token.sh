#!/bin/sh
# Plays the issuer. Its key is made when there is none, beside this script.
#
#	token.sh key                     its public key: the modulus, as n in a JSON web key
#	token.sh token SCOPE [SECONDS]   a token with these roles, for an hour or so many seconds
set -eu
key="$(dirname "$0")/issuer.key"
encode() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
[ -e "$key" ] || (umask 077 && openssl genrsa -out "$key" 2048 2>/dev/null)
case "$1" in
key)
	# In DER it stands before the exponent, which takes 5 bytes.
	openssl rsa -in "$key" -RSAPublicKey_out -outform DER 2>/dev/null | tail -c 261 | head -c 256 | encode
	;;
token)
	head=$(printf '{"alg":"RS256","kid":"example"}' | encode)
	claims=$(printf '{"iss":"https://auth.example.com","aud":"https://api.example.com","sub":"alice","exp":%d,"scope":"%s"}' \
		"$(($(date +%s) + ${3:-3600}))" "$2" | encode)
	printf '%s.%s.%s\n' "$head" "$claims" "$(printf '%s.%s' "$head" "$claims" | openssl dgst -sha256 -sign "$key" -binary | encode)"
	;;
esac
