/* reco: tells POST /events what visitors do; described on the service's page under /reco.js.
 * A click inside an element with data-reco-product is told; so is reco.track("search", {query: "pots"}). */
(function () {
  "use strict";
  var script = document.currentScript, url = new URL("events", script.src).href;
  if (script.dataset.recoKey) url += "?key=" + script.dataset.recoKey;
  var BATCH = 50, WAIT = 2000, KEPT = 500, IDLE = 30 * 60000, FIRST_PAUSE = 2000, LAST_PAUSE = 60000;
  var queue = [], timer = null, sending = false, pause = FIRST_PAUSE, memory = {};
  var user = script.dataset.recoUser;

  function get(key) {
    try { return localStorage.getItem("reco." + key); } catch (e) { return memory[key] || null; }
  }
  function set(key, value) {
    memory[key] = value;
    try { localStorage.setItem("reco." + key, value); } catch (e) {}
  }
  function uuid() {
    if (crypto.randomUUID) return crypto.randomUUID();
    return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, function (c) {
      return (+c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+c / 4)))).toString(16);
    });
  }
  function visitor() {
    var id = get("visitor");
    if (!id) set("visitor", (id = uuid()));
    return id;
  }
  function session() {
    var parts = (get("session") || "").split(" "), now = Date.now();
    var id = parts[0] && now - parts[1] < IDLE ? parts[0] : uuid();
    set("session", id + " " + now);
    return id;
  }

  function store() { set("queue", JSON.stringify(queue.slice(-KEPT))); }
  function later(ms) { if (!timer) timer = setTimeout(flush, ms); }
  function failed(batch, wait) {
    queue = batch.concat(queue).slice(-KEPT);
    store();
    later(Math.max(wait, pause));
    pause = Math.min(pause * 2, LAST_PAUSE);
  }
  function flush() {
    clearTimeout(timer);
    timer = null;
    if (sending || !queue.length) return;
    var batch = queue.splice(0, BATCH);
    sending = true;
    fetch(url, {
      method: "POST", body: JSON.stringify({ events: batch }), keepalive: true, credentials: "omit",
      headers: { "Content-Type": "text/plain" }
    }).then(function (answer) {
      sending = false;
      if (answer.status >= 500 || answer.status === 429) {
        failed(batch, 1000 * (answer.headers.get("Retry-After") || 0));
      } else {
        pause = FIRST_PAUSE;
        store();
        if (queue.length) later(queue.length < BATCH ? WAIT : 0);
      }
    }, function () {
      sending = false;
      failed(batch, 0);
    });
  }
  function leave() {
    while (queue.length) {
      var batch = queue.slice(0, BATCH);
      if (!navigator.sendBeacon || !navigator.sendBeacon(url, JSON.stringify({ events: batch }))) break;
      queue.splice(0, BATCH);
    }
    store();
  }

  function track(type, fields) {
    var event = {
      event_id: uuid(), user_id: user || visitor(), session_id: session(), event_type: type,
      timestamp: new Date().toISOString(), source: "web"
    };
    for (var name in fields) if (fields[name] != null) event[name] = fields[name];
    queue.push(event);
    if (queue.length > KEPT) queue.shift();
    if (queue.length >= BATCH && pause === FIRST_PAUSE) flush(); else later(WAIT);
    return event.event_id;
  }

  addEventListener("pagehide", leave);
  document.addEventListener("click", function (click) {
    var at = click.target && click.target.closest && click.target.closest("[data-reco-product]");
    if (!at) return;
    var said = at.dataset;
    track(said.recoEvent || "click", {
      product_id: said.recoProduct, recommendation_id: said.recoRecommendation,
      position: said.recoPosition ? +said.recoPosition : null, price: said.recoPrice ? +said.recoPrice : null
    });
  }, true);

  try { queue = JSON.parse(get("queue")) || []; } catch (e) { queue = []; }
  if (queue.length) { set("queue", "[]"); later(0); }
  window.reco = { track: track, flush: flush, user: function (id) { user = id; } };
  if (script.dataset.recoProduct) track("click", { product_id: script.dataset.recoProduct });
})();
