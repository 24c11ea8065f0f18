// An API with one route: ISSUER=… AUDIENCE=… PORT=… node server.mjs
import express from 'express';
import { keyturn } from './keyturn.mjs';

const { ISSUER, AUDIENCE, PORT = '8080' } = process.env;
const requires = keyturn({ issuer: ISSUER, audience: AUDIENCE, pollSeconds: 1 });
const app = express().disable('x-powered-by');

app.get('/bookings', requires('bookings:read'), (req, res) => {
  res.json({ 'x-client-id': req.token.client_id, 'x-organization-id': req.token.org });
});

app.listen(Number(PORT), '127.0.0.1');
