// Whether a request may pass: what introspection says of its credential, asked by nginx.conf.
import crypto from 'crypto';

const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

function credential(r) {
    const found = BEARER.exec(r.headersIn.Authorization || '');
    // As a form carries it: + and / and = have a meaning there.
    return found && found[1].length <= 16384 ? encodeURIComponent(found[1]) : '';
}

function digest(r) {
    return crypto.createHash('sha256').update(r.variables.keyturn_credential).digest('hex');
}

function refuse(r, status, error) {
    r.headersOut['WWW-Authenticate'] = error ? `Bearer error="${error}"` : 'Bearer';
    r.return(status);
}

async function check(r) {
    if (!r.variables.keyturn_credential) {
        return refuse(r, 401, r.headersIn.Authorization ? 'invalid_token' : '');
    }
    const answer = await r.subrequest('/_keyturn_introspect');
    if (answer.status !== 200) {
        return r.return(500);
    }
    const said = JSON.parse(answer.responseText);
    const now = Date.now() / 1000;
    const audiences = [].concat(said.aud);
    // An answer is up to five seconds old; a key that is bound to networks or domains, or a token
    // that is bound to a key, needs more than is checked here.
    if (
        said.active !== true || (said.exp !== undefined && said.exp <= now) ||
        !audiences.includes(r.variables.keyturn_audience) ||
        said.cnf || said.allowed_ips || said.allowed_domains || said.browser_origin
    ) {
        return refuse(r, 401, 'invalid_token');
    }
    const held = (said.scope || '').split(' ');
    const missing = r.variables.keyturn_scope.split(' ').filter(one => one && !held.includes(one));
    if (missing.length) {
        return refuse(r, 403, `insufficient_scope", scope="${r.variables.keyturn_scope}`);
    }
    r.headersOut['X-Client-Id'] = said.client_id;
    r.headersOut['X-Organization-Id'] = said.org;
    r.return(204);
}

export default {credential, digest, check};
