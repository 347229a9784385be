// The search of the site runs in a worker, which browsers refuse to pages that are opened as files.
// Then an invisible frame takes its place. The generator would fetch such a script from elsewhere.
// As with a worker, both sides have copies of their own, and neither is called while it speaks.
if (location.protocol === "file:") {
  const tell = (listener, data) => setTimeout(() => listener.onmessage?.({ data }));

  window.Worker = class {
    #frame = document.createElement("iframe");
    #inside;

    constructor(url) {
      this.#frame.hidden = true;
      this.#frame.srcdoc = "<!doctype html>";
      this.#inside = new Promise((resolve, reject) => {
        this.#frame.onload = () => {
          const inside = this.#frame.contentWindow;
          inside.postMessage = (data) => tell(this, structuredClone(data));
          const script = inside.document.createElement("script");
          script.src = url;
          script.onload = () => resolve(inside);
          script.onerror = reject;
          inside.document.head.append(script);
        };
      });
      this.#inside.catch((error) => this.onerror?.(error));
      document.body.append(this.#frame);
    }

    postMessage(data) {
      const copy = structuredClone(data);
      this.#inside.then((inside) => tell(inside, copy), () => {});
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
