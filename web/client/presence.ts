/** Call when the page is looked at again or the network is back; gives a function that ends this. */
export function onReturn(returned: () => void): () => void {
  const noticed = () => document.hidden || returned();
  document.addEventListener("visibilitychange", noticed);
  addEventListener("online", noticed);
  addEventListener("pageshow", noticed);
  return () => {
    document.removeEventListener("visibilitychange", noticed);
    removeEventListener("online", noticed);
    removeEventListener("pageshow", noticed);
  };
}
