// Signs the claims on standard input with RS256 and the private key in a file, by nothing but node's own crypto.
import { createSign } from "node:crypto";
import fs from "node:fs";

const claims = JSON.parse(fs.readFileSync(0, "utf-8"));
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const unsigned = encoded({ alg: "RS256", typ: "JWT" }) + "." + encoded(claims);
const signature = createSign("RSA-SHA256").update(unsigned).sign(fs.readFileSync(process.argv[2]));
process.stdout.write(unsigned + "." + signature.toString("base64url"));
