//! Como se abre uma thread que o sistema pode não dar. Não sabe o que ela faz, nem quem espera por ela.

use std::io;
use std::thread::{Builder, JoinHandle};

/// O sistema não deu mais uma thread.
#[derive(Debug, thiserror::Error)]
#[error("o sistema não deu mais uma thread; {}", if cfg!(unix) {
    "aumente 'ulimit -v' (memória) ou 'ulimit -u' (threads)"
} else {
    "falta memória: feche outros programas"
})]
struct SemThread;

/// Abre uma thread com este nome. Ao contrário de [`std::thread::spawn`], não derruba o programa se o sistema não a der.
///
/// # Errors
///
/// O sistema não deu mais uma thread; [`explicar`](super::explicar) diz o que fazer.
pub fn abrir_thread<T: Send + 'static>(
    nome: &str,
    tarefa: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let aberta = Builder::new().name(nome.into()).spawn(tarefa);
    // Sozinho, o erro do sistema se confundiria com o de um prazo: o número dele é o mesmo.
    aberta.map_err(|erro| io::Error::new(erro.kind(), SemThread))
}

/// Se este erro é de uma thread que o sistema não deu, o que se diz dele.
pub(super) fn foi_uma_que_faltou(erro: &io::Error) -> Option<String> {
    let causa = erro.get_ref()?.downcast_ref::<SemThread>()?;
    Some(causa.to_string())
}
