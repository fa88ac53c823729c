"use strict";

SwaggerUIBundle({
  url: "/openapi.yaml",
  dom_id: "#operations",
  deepLinking: true,
  validatorUrl: null,
});
