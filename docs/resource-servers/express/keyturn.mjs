// Tokens of a Keyturn issuer for Express: verified offline by npm's jose, revocation included.
//
//     const requires = keyturn({ issuer: 'https://auth.example.com', audience: 'https://api.example.com' });
//     app.get('/bookings', requires('bookings:read'), (req, res) => …);   // req.token: its claims

import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const ALGORITHMS = ['ES256'];
const LONGEST = 16 * 1024;
const LARGEST_LIST = 4 * 1024 * 1024;

// Whatever else fails has nothing to do with the caller: 503.
const REFUSALS = [
  errors.JWTClaimValidationFailed, errors.JWTExpired, errors.JWTInvalid, errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed, errors.JWKSNoMatchingKey, errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
];

export function keyturn({ issuer, audience, pollSeconds = 5, timeoutSeconds = 2 }) {
  // A key is published five minutes before it signs.
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    cacheMaxAge: 120_000,
    timeoutDuration: timeoutSeconds * 1000,
  });
  const lists = new Map();

  async function fetched(uri) {
    const answer = await fetch(uri, {
      headers: { accept: 'application/statuslist+jwt' },
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
    });
    if (!answer.ok) throw new Error(`${uri}: ${answer.status}`);
    const { payload } = await jwtVerify(await answer.text(), keys, {
      issuer, subject: uri, typ: 'statuslist+jwt', algorithms: ALGORITHMS, requiredClaims: ['exp'],
    });
    const { bits, lst } = payload.status_list;
    return {
      bits,
      statuses: inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength: LARGEST_LIST }),
      revoked: new Set(payload.revoked_jtis ?? []),
      until: payload.exp * 1000,
    };
  }

  // The list as of a few seconds ago; while the issuer is away, until its `exp`.
  async function current(uri) {
    const kept = lists.get(uri) ?? { askedAt: -Infinity, list: undefined };
    lists.set(uri, kept);
    if (Date.now() - kept.askedAt > pollSeconds * 1000) {
      kept.askedAt = Date.now();
      kept.asking = fetched(uri).then((list) => { kept.list = list; }, (why) => { kept.why = why; });
    }
    // Only the first waits; later requests go by what is there while one asks.
    if (!kept.list) await kept.asking;
    // Not the error itself: a list that is refused is no refusal of the token.
    if (!kept.list || kept.list.until <= Date.now()) throw new Error(`${uri}: ${kept.why ?? 'over'}`);
    return kept.list;
  }

  async function isRevoked({ status, jti }) {
    if (!status?.status_list) return false;
    const { uri, idx } = status.status_list;
    const { bits, statuses, revoked } = await current(uri);
    const at = idx * bits;
    // Beyond the end nothing is said of it: refused.
    return revoked.has(jti) || at >> 3 >= statuses.length || ((statuses[at >> 3] >> (at & 7)) & ((1 << bits) - 1)) !== 0;
  }

  function refuse(res, status, parameters) {
    res.status(status).set('WWW-Authenticate', `Bearer${parameters}`).json({ error: status });
  }

  return (...scopes) => async (req, res, next) => {
    const header = req.get('authorization');
    if (header === undefined) return refuse(res, 401, '');
    const found = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(header);
    const invalid = ' error="invalid_token"';
    if (!found || found[1].length > LONGEST) return refuse(res, 401, invalid);
    try {
      const { payload } = await jwtVerify(found[1], keys, {
        issuer, audience, typ: 'at+jwt', algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub', 'client_id', 'jti'], clockTolerance: 10,
      });
      // A token that is bound to a key needs more than is checked here.
      if (payload.cnf || (await isRevoked(payload))) return refuse(res, 401, invalid);
      req.token = payload;
    } catch (error) {
      if (REFUSALS.some((kind) => error instanceof kind)) return refuse(res, 401, invalid);
      console.error('tokens cannot be verified:', error.message);
      return res.status(503).set('Retry-After', '5').json({ error: 503 });
    }
    const held = (req.token.scope ?? '').split(' ');
    if (!scopes.every((one) => held.includes(one))) {
      return refuse(res, 403, ` error="insufficient_scope", scope="${scopes.join(' ')}"`);
    }
    return next();
  };
}
