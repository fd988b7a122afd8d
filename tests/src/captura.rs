//! O que um programa escreve, guardado enquanto ele escreve.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use crate::PRAZO;

/// Uma saída de um programa. Uma thread a lê o tempo todo: o programa nunca espera pelo teste.
#[derive(Debug, Clone)]
pub struct Captura(Arc<Gravacao>);

#[derive(Debug, Default)]
struct Gravacao {
    escrito: Mutex<Escrito>,
    mudou: Condvar,
}

#[derive(Debug, Default)]
struct Escrito {
    bytes: Vec<u8>,
    acabou: bool,
}

impl Escrito {
    fn texto(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Gravacao {
    fn trancar(&self) -> MutexGuard<'_, Escrito> {
        self.escrito.lock().unwrap()
    }
}

impl Captura {
    /// Guarda o que sair de `fonte`, até o fim ou o primeiro erro (o fim de um terminal é um erro).
    pub fn de(mut fonte: impl Read + Send + 'static) -> Self {
        let gravacao = Arc::new(Gravacao::default());
        let destino = Arc::clone(&gravacao);
        thread::spawn(move || {
            let mut pedaco = [0; 8 * 1024];
            loop {
                let lidos = fonte.read(&mut pedaco).unwrap_or(0);
                let mut escrito = destino.trancar();
                escrito.bytes.extend_from_slice(&pedaco[..lidos]);
                escrito.acabou = lidos == 0;
                destino.mudou.notify_all();
                if lidos == 0 {
                    return;
                }
            }
        });
        Captura(gravacao)
    }

    /// Uma saída que ninguém captura: vazia e já no fim.
    pub(crate) fn nenhuma() -> Self {
        let escrito = Mutex::new(Escrito { bytes: Vec::new(), acabou: true });
        Captura(Arc::new(Gravacao { escrito, mudou: Condvar::new() }))
    }

    /// Espera o texto satisfazer `condicao` e o devolve inteiro.
    ///
    /// # Panics
    ///
    /// A saída acabou, ou passou o [`PRAZO`], sem isso; `o_que` é o que se esperava.
    pub fn ate(&self, o_que: &str, condicao: impl Fn(&str) -> bool) -> String {
        self.esperar(o_que, |escrito| condicao(&escrito.texto()), Escrito::texto)
    }

    /// O texto que há até agora.
    pub fn ate_agora(&self) -> String {
        self.0.trancar().texto()
    }

    /// Espera a saída acabar e devolve os bytes dela.
    ///
    /// # Panics
    ///
    /// Passou o [`PRAZO`].
    pub fn ate_o_fim(&self) -> Vec<u8> {
        self.esperar("o fim da saída", |escrito| escrito.acabou, |escrito| escrito.bytes.clone())
    }

    fn esperar<T>(
        &self,
        o_que: &str,
        condicao: impl Fn(&Escrito) -> bool,
        extrair: impl FnOnce(&Escrito) -> T,
    ) -> T {
        let ainda_nao = |escrito: &mut Escrito| !condicao(escrito) && !escrito.acabou;
        let (escrito, _) =
            self.0.mudou.wait_timeout_while(self.0.trancar(), PRAZO, ainda_nao).unwrap();
        let conseguiu = condicao(&escrito);
        let obtido = conseguiu.then(|| extrair(&escrito));
        let texto = escrito.texto();
        // Solta a trava antes do pânico: quem limpa depois ainda precisa dele.
        drop(escrito);
        obtido.unwrap_or_else(|| panic!("esperava {o_que}, e só há:\n{texto}"))
    }
}
