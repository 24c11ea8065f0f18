// jose and fast-jwt, verifying the same tokens: node verify.mjs FILE, prints microseconds a call.
import { readFileSync } from 'node:fs'
import { createPublicKey } from 'node:crypto'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { createVerifier } from 'fast-jwt'

const { issuer, audience, jwks, tokens, rounds, seconds } = JSON.parse(readFileSync(process.argv[2]))
const kid = JSON.parse(Buffer.from(tokens[0].split('.')[0], 'base64url')).kid
const jwk = jwks.keys.find((key) => key.kid === kid)
const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })

const keys = createLocalJWKSet(jwks)
const options = { issuer, audience, algorithms: ['ES256'], typ: 'at+jwt' }
const fast = { key: pem, algorithms: ['ES256'], allowedIss: issuer, allowedAud: audience }
const uncached = createVerifier({ ...fast, cache: false })
const cached = createVerifier({ ...fast, cache: tokens.length * 2 })

const measures = {
  'jose, cold': async (token) => { await jwtVerify(token, keys, options) },
  'fast-jwt, cold': (token) => uncached(token),
  'fast-jwt, warm (its cache)': (token) => cached(token),
}

async function micros(call, count) {
  const begun = process.cpuUsage()
  for (let n = 0; n < count; n++) {
    const answer = call(tokens[n % tokens.length])
    if (answer instanceof Promise) await answer
  }
  const { user, system } = process.cpuUsage(begun)
  return (user + system) / count
}

const found = {}
for (const [name, call] of Object.entries(measures)) {
  const each = await micros(call, 2 * tokens.length)
  const count = Math.max(tokens.length, Math.round((seconds * 1e6) / each))
  found[name] = []
  for (let round = 0; round < rounds; round++) found[name].push(await micros(call, count))
}
console.log(JSON.stringify(found))
