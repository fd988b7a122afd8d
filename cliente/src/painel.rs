//! O painel: mostra ao vivo o que a multidão conta, enquanto ela vive.
//!
//! Cada AVISO é impresso na saída padrão assim que chega (§7). O andamento, animado, vai à saída de
//! erro, e só quando ela é um terminal. O painel não guarda história nenhuma: o resumo e o veredito
//! vêm das sessões.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use protocolo::mensagem::visivel;
use protocolo::terminal::dizer;

use crate::opcoes::Opcoes;
use crate::resumo::formatar;
use crate::sessao::Recado;
use crate::usuario::Noticia;

/// De quanto em quanto tempo o andamento se atualiza.
const QUADRO: Duration = Duration::from_millis(100);

/// O andamento da simulação.
#[derive(Debug)]
pub struct Painel {
    barra: ProgressBar,
    detalhado: bool,
    avisou_espera: bool,
    servidor: String,
    espera: Duration,
    ativos: i64,
    vendas: u64,
    recusas: u64,
    avisos: u64,
    falhas: u64,
}

impl Painel {
    /// Um painel para uma simulação de `ciclos` ciclos ao todo.
    pub fn novo(opcoes: &Opcoes, ciclos: u64) -> Self {
        // Fora de um terminal, a barra do indicatif não desenha nada.
        let barra = ProgressBar::new(ciclos);
        if let Ok(estilo) = ProgressStyle::with_template("{spinner} {pos}/{len} ciclos · {msg}") {
            barra.set_style(estilo);
        }
        Painel {
            barra,
            detalhado: opcoes.detalhado,
            avisou_espera: false,
            servidor: opcoes.servidor.clone(),
            espera: opcoes.espera,
            ativos: 0,
            vendas: 0,
            recusas: 0,
            avisos: 0,
            falhas: 0,
        }
    }

    /// Mostra os recados até a última sessão terminar.
    pub fn acompanhar(mut self, recados: &Receiver<Recado>) {
        let mut proximo_quadro = Instant::now();
        loop {
            match recados.recv_timeout(proximo_quadro.saturating_duration_since(Instant::now())) {
                Ok(Recado::Esperando) => self.esperando(),
                Ok(Recado::Usuario(numero, quando, noticia)) => {
                    self.noticia(numero, quando, noticia);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.barra.finish_and_clear(),
            }
            if Instant::now() >= proximo_quadro {
                self.atualizar();
                proximo_quadro = Instant::now() + QUADRO;
            }
        }
    }

    fn noticia(&mut self, numero: usize, quando: Duration, noticia: Noticia) {
        match noticia {
            Noticia::Entrou => self.ativos += 1,
            Noticia::Saiu => self.ativos -= 1,
            Noticia::Comprou => self.vendas += 1,
            Noticia::Recusado => self.recusas += 1,
            Noticia::Ciclo => self.barra.inc(1),
            Noticia::Aviso(texto) => {
                self.avisos += 1;
                self.imprimir(numero, quando, visivel(&texto));
            }
            Noticia::Troca(comando, mensagem, demora) => {
                let comando = comando.nome().escape_ascii();
                let troca = format!("{comando} -> {mensagem} ({})", formatar(demora));
                self.imprimir(numero, quando, troca);
            }
            Noticia::Falhou(falha) => {
                self.falhas += 1;
                if self.detalhado {
                    self.imprimir(numero, quando, format!("falha: {falha}"));
                }
            }
        }
    }

    fn imprimir(&self, numero: usize, quando: Duration, texto: impl Display) {
        self.barra.suspend(|| {
            // Se ninguém mais lê a saída padrão, a simulação continua.
            let segundos = format!("{:9.3}", quando.as_secs_f64()).replace('.', ",");
            let _ = writeln!(io::stdout(), "{segundos} s  usuário {numero}: {texto}");
        });
    }

    fn esperando(&mut self) {
        if !std::mem::replace(&mut self.avisou_espera, true) {
            let (servidor, espera) = (&self.servidor, humantime::format_duration(self.espera));
            self.barra.suspend(|| {
                dizer(format_args!(
                    "cliente: {servidor} ainda não aceita conexões; esperando até {espera}..."
                ));
            });
        }
    }

    /// Cabe em 80 colunas.
    fn atualizar(&self) {
        let Painel { ativos, vendas, recusas, avisos, falhas, .. } = self;
        let falhas = if *falhas > 0 { format!(" · {falhas} falhas") } else { String::new() };
        self.barra.set_message(format!(
            "{ativos} ativos · {vendas} vendas · {recusas} recusas · {avisos} AVISOs{falhas}"
        ));
        self.barra.tick();
    }
}
