// Verifies a COSE Receipt (RFC 9942) of the log, or a signed act, by the package @auth0/cose:
//
//	npm install && node cose.mjs KEY.pem RECEIPT.cose STATEMENT
//	node cose.mjs KEY.pem ACT.cose
//
// Exit code 0: it holds.
import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { Sign1 } from "@auth0/cose";
import { decode } from "cbor-x";

const [key, message, statement] = process.argv.slice(2).map((name) => readFileSync(name));
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();

// The root that an audit path leads to (RFC 9162, section 2.1.3.2, by its definition in 2.1.3.1).
function climb(index, size, leaf, path) {
  if (size === 1) {
    if (path.length) throw new Error("the proof is too long");
    return leaf;
  }
  if (!path.length) throw new Error("the proof is too short");
  const half = 2 ** (Math.ceil(Math.log2(size)) - 1);
  const [rest, sibling] = [path.slice(0, -1), path.at(-1)];
  if (index < half) return sha256(Buffer.of(1), climb(index, half, leaf, rest), sibling);
  return sha256(Buffer.of(1), sibling, climb(index - half, size - half, leaf, rest));
}

function root(receipt) {
  const [proof] = receipt.unprotectedHeaders.get(396).get(-1);
  const [size, index, path] = decode(proof);
  if (index >= size) throw new Error("the leaf is outside the tree");
  const entry = Buffer.concat([Buffer.of(1), sha256(statement)]);
  return climb(Number(index), Number(size), sha256(Buffer.of(0), entry), path);
}

try {
  const signed = Sign1.decode(message);
  await signed.verify(createPublicKey(key), statement ? { detachedPayload: root(signed) } : {});
  console.log("holds");
} catch (error) {
  console.error("does not hold:", error.message);
  process.exit(3);
}
