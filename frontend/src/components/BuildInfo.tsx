import { build } from "../config";
import type { Health } from "../api";
import type { BackendHealth } from "../useBackendHealth";

/** Who is answering: the build of this page and of the backend, for whoever has to report a fault. */
export function BuildInfo({ backend }: { backend: BackendHealth }) {
  return (
    <footer>
      <dl>
        <div>
          <dt>Frontend</dt>
          <dd>
            <Build {...build} />
          </dd>
        </div>
        <div>
          <dt>Backend</dt>
          <dd>{typeof backend === "string" ? backend : <Backend {...backend} />}</dd>
        </div>
      </dl>
    </footer>
  );
}

function Backend({ status, database, ...backendBuild }: Health) {
  return (
    <>
      <Build {...backendBuild} />
      {status !== "ok" && ` · database: ${database}`}
    </>
  );
}

interface BuildProps {
  version: string;
  commit: string;
  buildDate: string;
}

function Build({ version, commit, buildDate }: BuildProps) {
  return (
    <>
      {version} · <code title={commit}>{commit.slice(0, 12)}</code> · <time dateTime={buildDate}>{buildDate}</time>
    </>
  );
}
