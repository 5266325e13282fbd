// Signs the claims on standard input with RS256 and the private key in a file, by the package jsonwebtoken.
const fs = require("node:fs");
const jwt = require("jsonwebtoken");

const claims = JSON.parse(fs.readFileSync(0, "utf-8"));
process.stdout.write(jwt.sign(claims, fs.readFileSync(process.argv[2]), { algorithm: "RS256" }));
