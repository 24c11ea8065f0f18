// A file of its own, because the page's policy allows no inline script.
SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null, // no request to a validator elsewhere
  persistAuthorization: false, // a credential does not outlive the page
});
