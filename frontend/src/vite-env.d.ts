/// <reference types="vite/client" />

interface ImportMetaEnv {
  readonly REACT_APP_API_URL?: string;
  readonly REACT_APP_VERSION?: string;
  readonly REACT_APP_GIT_COMMIT?: string;
  readonly REACT_APP_BUILD_DATE?: string;
}
