//! O programa `servidor`, aberto para um teste.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::{Captura, Cliente, Exame, Processo, Signal, Termino, comando};

/// Um servidor aberto em 127.0.0.1, em uma porta que o sistema escolheu.
#[derive(Debug)]
pub struct Servidor {
    processo: Processo,
    endereco: SocketAddr,
}

impl Servidor {
    /// Abre um servidor, com estas opções a mais.
    ///
    /// # Panics
    ///
    /// Ele não abriu.
    pub fn abrir(opcoes: &[&str]) -> Self {
        Servidor::de(comando("servidor", opcoes))
    }

    /// Abre o servidor que `comando` inicia, com a saída padrão que o teste escolheu.
    ///
    /// # Panics
    ///
    /// Ele não abriu, ou a primeira linha não é a combinada.
    pub fn de(comando: Command) -> Self {
        Servidor::tentar(comando)
            .unwrap_or_else(|termino| panic!("isto não é a linha de abertura: {}", termino.erro))
    }

    /// Como [`de`](Self::de), para quem pode não abrir: então diz como terminou.
    ///
    /// # Panics
    ///
    /// Ele não abriu, e não terminou.
    pub fn tentar(mut comando: Command) -> Result<Self, Termino> {
        comando.args(["--endereco", "127.0.0.1", "--porta", "0"]);
        let mut processo = Processo::iniciar(comando);
        let dito = processo.erro.ate("a linha de abertura", |texto| texto.contains('\n'));
        let endereco = dito
            .strip_prefix("servidor: ouvindo em ")
            .and_then(|resto| resto.split(' ').next())
            .and_then(|endereco| endereco.parse().ok());
        match endereco {
            Some(endereco) => Ok(Servidor { processo, endereco }),
            None => Err(processo.termino()),
        }
    }

    /// Onde ele escuta.
    pub fn endereco(&self) -> SocketAddr {
        self.endereco
    }

    /// O registro, se sai na saída padrão.
    pub fn registro(&self) -> &Captura {
        &self.processo.saida
    }

    /// O que ele disse na saída de erro.
    pub fn erro(&self) -> &Captura {
        &self.processo.erro
    }

    /// O que o sistema sabe dele.
    pub fn exame(&self) -> Exame {
        self.processo.exame()
    }

    /// Um cliente novo, conectado.
    pub fn cliente(&self) -> Cliente {
        Cliente::conectar(self.endereco)
    }

    /// Manda um sinal.
    pub fn sinal(&self, sinal: Signal) {
        self.processo.sinal(sinal);
    }

    /// Faz algo com o servidor congelado: quando ele acordar, tudo já terá chegado, e ele verá no
    /// mesmo turno o que costuma ver aos poucos.
    pub fn congelado<T>(&self, fazer: impl FnOnce() -> T) -> T {
        self.sinal(Signal::STOP);
        let feito = fazer();
        self.sinal(Signal::CONT);
        feito
    }

    /// Manda este sinal até ele terminar.
    pub fn insistir(&mut self, sinal: Signal) -> Termino {
        self.processo.insistir(sinal)
    }

    /// Espera que ele termine.
    pub fn termino(&mut self) -> Termino {
        self.processo.termino()
    }

    /// Manda que termine, e espera.
    pub fn encerrar(&mut self) -> Termino {
        self.sinal(Signal::TERM);
        self.termino()
    }

    /// Como [`encerrar`](Self::encerrar), para quem tem muito que pôr no disco antes de sair.
    pub fn encerrar_em(&mut self, prazo: Duration) -> Termino {
        self.sinal(Signal::TERM);
        self.processo.termino_em(prazo)
    }
}
