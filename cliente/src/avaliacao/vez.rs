//! A vez: quando se avaliam vários servidores ao mesmo tempo, cada um na sua rede, as disputas de um se fazem sem que
//! outro execute nada. Quem divide o processador com os vizinhos troca de thread em outros instantes, e a falta de um Lock
//! pode não aparecer: a nota dependeria deles.
//!
//! São dois arquivos que todos abrem, e que o sistema tranca: na *sala* ficam muitos acompanhados, ou um sozinho; pela
//! *porta* passa um de cada vez, e quem espera ficar sozinho espera com ela fechada, para que não entrem outros na frente
//! dele. Quem termina, seja como for, os solta.
//!
//! O que custaria pontos e pode ter sido só demora se [confirma](confirmar) sem ninguém ao lado.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Os dois arquivos, em uma pasta comum a todas as avaliações.
pub const ARQUIVOS: [&str; 2] = ["porta", "sala"];

/// A vez, comum a todas as avaliações.
#[derive(Debug)]
pub struct Vez {
    porta: File,
    sala: File,
    /// Quanto já se esperou por ela, em nanossegundos.
    esperou: AtomicU64,
}

/// Enquanto existe, a vez é de quem a pediu.
#[derive(Debug)]
pub struct Guarda<'a>(&'a File);

impl Vez {
    /// A desta pasta.
    ///
    /// # Errors
    ///
    /// Os arquivos não se abrem.
    pub fn abrir(pasta: &Path) -> io::Result<Self> {
        let [porta, sala] = ARQUIVOS.map(|nome| File::open(pasta.join(nome)));
        Ok(Vez { porta: porta?, sala: sala?, esperou: AtomicU64::new(0) })
    }

    /// Espera até que possa seguir com os outros que aceitam companhia.
    pub fn acompanhado(&self) -> Guarda<'_> {
        self.entrar(File::lock_shared)
    }

    /// Espera até que nenhum outro execute nada.
    pub fn sozinho(&self) -> Guarda<'_> {
        self.entrar(File::lock)
    }

    /// Quanto já se esperou: não é tempo do servidor.
    pub fn esperou(&self) -> Duration {
        Duration::from_nanos(self.esperou.load(Ordering::Relaxed))
    }

    fn entrar(&self, trancar: fn(&File) -> io::Result<()>) -> Guarda<'_> {
        let desde = Instant::now();
        // Se o sistema não tranca, avalia-se como se não houvesse vizinhos.
        let _ = self.porta.lock();
        let _ = trancar(&self.sala);
        let _ = self.porta.unlock();
        let esperou = u64::try_from(desde.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.esperou.fetch_add(esperou, Ordering::Relaxed);
        Guarda(&self.sala)
    }
}

impl Drop for Guarda<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Faz uma prova ao lado dos vizinhos, e a prova recebe a vez que tem de pedir. Se o que se viu é duvidoso, porque pode
/// ter sido só demora e a culpa deles, faz-se outra vez com eles parados, e vale esta. Sem vizinhos, faz-se uma vez só.
pub fn confirmar<'a, T>(
    vez: Option<&'a Vez>,
    duvidoso: impl FnOnce(&T) -> bool,
    mut prova: impl FnMut(Option<&'a Vez>) -> T,
) -> T {
    let vista = prova(vez);
    match vez {
        Some(vez) if duvidoso(&vista) => {
            let _sozinho = vez.sozinho();
            prova(None)
        }
        _ => vista,
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tempfile::TempDir;

    fn pasta() -> (TempDir, PathBuf) {
        let pasta = tempfile::tempdir().unwrap();
        for nome in ARQUIVOS {
            std::fs::write(pasta.path().join(nome), "").unwrap();
        }
        let caminho = pasta.path().to_owned();
        (pasta, caminho)
    }

    #[test]
    fn so_o_duvidoso_se_repete_e_sem_ninguem_ao_lado() {
        let (_pasta, caminho) = pasta();
        let [vez, vizinha] = [(), ()].map(|()| Vez::abrir(&caminho).unwrap());
        let provar = |vez: Option<&Vez>, duvidosa: bool| {
            let mut sos = Vec::new();
            let vista = confirmar(
                vez,
                |_| duvidosa,
                |vez| {
                    let _acompanhado = vez.map(Vez::acompanhado);
                    // Quem está sozinho não deixa mais ninguém entrar.
                    let entrou = vizinha.sala.try_lock_shared().is_ok();
                    let _ = vizinha.sala.unlock();
                    sos.push(!entrou);
                    sos.len()
                },
            );
            (vista, sos)
        };
        assert_eq!(provar(Some(&vez), false), (1, vec![false]));
        assert_eq!(provar(Some(&vez), true), (2, vec![false, true]), "vale a segunda");
        assert_eq!(provar(None, true), (1, vec![false]), "sem vizinhos, a primeira já é a sós");
    }

    #[test]
    fn quem_esta_sozinho_nao_tem_ninguem_ao_lado() {
        let (_pasta, caminho) = pasta();
        let dentro = AtomicUsize::new(0);
        let entrar = |sozinho: bool| {
            let vez = Vez::abrir(&caminho).unwrap();
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
                let entrar = &entrar;
                escopo.spawn(move || entrar(sozinho));
            }
        });
    }
}
