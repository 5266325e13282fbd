#!/usr/bin/env bash
# The shell commands of the vendor's document in their order, with its typos mended:
#   curl -x is -X; httpie -F is -f; a body that is not sent gets --data-binary @-; /auth/helo is /auth/hello;
#   hosts are $API; what the document writes in capitals are variables; "// comments" and "..." in JSON are left out.
# --ignore-stdin is added to httpie's GET: a script has no terminal.
# Every answer is kept in a file of the working folder. Needs API, USER_NAME, YOUR_ACTUAL_PASSWORD, IMAGE_PATH, CALLBACK
# and FILE_URL in the environment; SIGN prints a token for the key that it is given.
set -euo pipefail

# To authorize, using Session Authentication
export PASS_SHA_256=`echo -n $YOUR_ACTUAL_PASSWORD | shasum -a 256 | cut -d ' ' -f 1`
echo '{"user":"'${USER_NAME}'","pass_hash":"'${PASS_SHA_256}'"}' | http -f POST $API/auth/login > login_httpie.json
echo '{"user":"'${USER_NAME}'","pass_hash":"'${PASS_SHA_256}'"}' | curl -s -X POST --data-binary @- "$API/auth/login" > login_curl.json

# How to create your own keys ("Don't add passphrase" is -N "")
ssh-keygen -q -t rsa -b 4096 -m PEM -f jwtRS256.key -N ""
openssl rsa -in jwtRS256.key -pubout -outform PEM -out jwtRS256.key.pub 2> openssl.log
cat jwtRS256.key > private_key.txt
cat jwtRS256.key.pub > public_key.txt
HEMATO_AI_AUTH_TOKEN=`$SIGN jwtRS256.key.pub jwtRS256.key`

# Debugging JWTs
http -f POST $API/auth/hello Authorization:$HEMATO_AI_AUTH_TOKEN < /dev/null > hello_httpie.json
curl -s -X POST --header "Authorization:$HEMATO_AI_AUTH_TOKEN" $API/auth/hello > hello_curl.json

# 1. Get an ID
echo '{"tags":{"patient_proxy_id":""}}' | http -f POST $API/pbs Authorization:$HEMATO_AI_AUTH_TOKEN > create_httpie.json
curl -s -X POST --header "Authorization:$HEMATO_AI_AUTH_TOKEN" $API/pbs > create_curl.json

study_of() { sed -E 's/.*"pbs_study_id": *"([^"]+)".*/\1/' "$1" | tr -d '\n'; }

# 2. Upload the files, 3. Request a Diagnostic Study
YOUR_NEW_PBS_ID=`study_of create_httpie.json`
http -f POST $API/pbs/$YOUR_NEW_PBS_ID/files Authorization:$HEMATO_AI_AUTH_TOKEN Content-Type:image/jpeg < $IMAGE_PATH > upload_httpie.json
echo '{"diagnostic_tasks":["pbs_v1"], "callback_url":"'$CALLBACK'/'$YOUR_NEW_PBS_ID'/"}' | http -f POST $API/pbs/$YOUR_NEW_PBS_ID/tasks Authorization:$HEMATO_AI_AUTH_TOKEN > tasks_httpie.json

YOUR_NEW_PBS_ID=`study_of create_curl.json`
curl -s -X POST --header "Authorization:$HEMATO_AI_AUTH_TOKEN" --header "Content-Type:image/jpeg" --data-binary "@$IMAGE_PATH" $API/pbs/$YOUR_NEW_PBS_ID/files > upload_curl.json
echo '{"diagnostic_tasks":["pbs_v1"], "callback_url":"'$CALLBACK'/'$YOUR_NEW_PBS_ID'/"}' | curl -s -X POST --header "Authorization:$HEMATO_AI_AUTH_TOKEN" --data-binary @- $API/pbs/$YOUR_NEW_PBS_ID/tasks > tasks_curl.json

# 4. Wait for it
for _ in `seq 600`; do
  curl -s --header "Authorization:$HEMATO_AI_AUTH_TOKEN" $API/pbs/$YOUR_NEW_PBS_ID/status > status_curl.json
  grep -q -E '"report_status": *"(ready|failed)"' status_curl.json && break
  sleep 0.2
done
http --ignore-stdin $API/pbs/$YOUR_NEW_PBS_ID/status Authorization:$HEMATO_AI_AUTH_TOKEN > status_httpie.json

# 5. Get The Report for a Peripheral Blood Smear Study
http --ignore-stdin $API/pbs/$YOUR_NEW_PBS_ID/report Authorization:$HEMATO_AI_AUTH_TOKEN > report_httpie.json
curl -s --header "Authorization:$HEMATO_AI_AUTH_TOKEN" $API/pbs/$YOUR_NEW_PBS_ID/report > report_curl.json

# Workflow 2
echo '{"peripheral_blood_sample_id":"xyz", "patient_proxy_medical_record_number":"abc", "sample_collection_timestamp":"2021-01-02T15:04:05+07:00", "clinical_tasks_requested":["pbs_v1"], "files":["'$FILE_URL'"], "callback_url":"'$CALLBACK'/2"}' | http -f POST $API/pbs Authorization:$HEMATO_AI_AUTH_TOKEN > submit_httpie.json

# Health Check
http --ignore-stdin $API/heartbeat > heartbeat_httpie.json
