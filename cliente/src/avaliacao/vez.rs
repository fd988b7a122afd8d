//! A vez: quando se avaliam vários servidores ao mesmo tempo, cada um na sua rede, as disputas de um se fazem sem que
//! outro execute nada. Quem divide o processador com os vizinhos troca de thread em outros instantes, e a falta de um Lock
//! pode não aparecer: a nota dependeria deles.
//!
//! É um arquivo que todos abrem, e que o sistema tranca: para um só, ou para todos os que não se importam com companhia.
//! Quem termina, seja como for, o solta.

use std::fs::File;
use std::io;
use std::path::Path;

/// A vez, comum a todas as avaliações.
#[derive(Debug)]
pub struct Vez(File);

/// Enquanto existe, a vez é de quem a pediu.
#[derive(Debug)]
pub struct Guarda<'a>(&'a File);

impl Vez {
    /// A deste arquivo.
    ///
    /// # Errors
    ///
    /// O arquivo não se abre.
    pub fn abrir(caminho: &Path) -> io::Result<Self> {
        File::open(caminho).map(Vez)
    }

    /// Espera até que os outros que também aceitam companhia possam seguir com este.
    pub fn acompanhado(&self) -> Guarda<'_> {
        // Se o sistema não tranca, avalia-se como se não houvesse vizinhos.
        let _ = self.0.lock_shared();
        Guarda(&self.0)
    }

    /// Espera até que nenhum outro execute nada.
    pub fn sozinho(&self) -> Guarda<'_> {
        let _ = self.0.lock();
        Guarda(&self.0)
    }
}

impl Drop for Guarda<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn quem_esta_sozinho_nao_tem_ninguem_ao_lado() {
        let arquivo = tempfile::NamedTempFile::new().unwrap();
        let dentro = AtomicUsize::new(0);
        let entrar = |sozinho: bool| {
            let vez = Vez::abrir(arquivo.path()).unwrap();
            for _ in 0..50 {
                let _guarda = if sozinho { vez.sozinho() } else { vez.acompanhado() };
                let outros = dentro.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
                let depois = dentro.fetch_sub(1, Ordering::SeqCst);
                assert!(!sozinho || (outros == 0 && depois == 1), "{outros} {depois}");
            }
        };
        std::thread::scope(|escopo| {
            for sozinho in [true, false, true, false] {
                escopo.spawn(move || entrar(sozinho));
            }
        });
    }
}
