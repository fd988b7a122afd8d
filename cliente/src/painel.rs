//! O painel: mostra ao vivo o que a multidão conta, enquanto ela vive.
//!
//! Cada AVISO é impresso na saída padrão assim que chega (§7). O andamento, animado, vai à saída de
//! erro, e só quando ela é um terminal. O painel não guarda história nenhuma: o resumo e o veredito
//! vêm das sessões.
//!
//! O que só se conta vai ao [`Placar`], que se olha a cada quadro: um recado por venda acordaria o painel
//! milhares de vezes por segundo para somar um.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use protocolo::mensagem::visivel;
use protocolo::terminal::dizer;

use crate::opcoes::{FimDeLinha, Opcoes};
use crate::resumo::formatar;
use crate::sessao::Recado;
use crate::usuario::Noticia;

/// De quanto em quanto tempo o andamento se atualiza.
const QUADRO: Duration = Duration::from_millis(100);

/// As contas do andamento: as sessões somam, o painel olha. Cada uma vale por si, e um quadro pode ver a
/// venda sem ver ainda o ciclo dela. Quando o estoque esgotou é o que um usuário precisa saber dos outros.
#[derive(Debug)]
pub struct Placar {
    ativos: AtomicI64,
    ciclos: AtomicU64,
    vendas: AtomicU64,
    recusas: AtomicU64,
    avisos: AtomicU64,
    falhas: AtomicU64,
    /// Quando alguém viu o estoque vazio pela primeira vez, em nanossegundos; o máximo, se ninguém viu.
    esgotou: AtomicU64,
}

impl Default for Placar {
    fn default() -> Self {
        let [ciclos, vendas, recusas, avisos, falhas] = [const { AtomicU64::new(0) }; 5];
        let (ativos, esgotou) = (AtomicI64::new(0), AtomicU64::new(u64::MAX));
        Placar { ativos, ciclos, vendas, recusas, avisos, falhas, esgotou }
    }
}

impl Placar {
    /// Alguém viu o estoque vazio neste instante.
    pub fn viu_esgotar(&self, quando: Duration) {
        let quando = u64::try_from(quando.as_nanos()).unwrap_or(u64::MAX);
        if quando < self.esgotou.load(Ordering::Relaxed) {
            self.esgotou.fetch_min(quando, Ordering::Relaxed);
        }
    }

    /// Quando alguém viu o estoque vazio pela primeira vez.
    pub fn esgotou(&self) -> Option<Duration> {
        let quando = self.esgotou.load(Ordering::Relaxed);
        (quando < u64::MAX).then(|| Duration::from_nanos(quando))
    }

    /// Conta esta notícia.
    pub fn anotar(&self, noticia: &Noticia) {
        let somar = |conta: &AtomicU64| {
            conta.fetch_add(1, Ordering::Relaxed);
        };
        match noticia {
            Noticia::Entrou => {
                self.ativos.fetch_add(1, Ordering::Relaxed);
            }
            Noticia::Saiu => {
                self.ativos.fetch_sub(1, Ordering::Relaxed);
            }
            Noticia::Ciclo => somar(&self.ciclos),
            Noticia::Comprou => somar(&self.vendas),
            Noticia::Recusado => somar(&self.recusas),
            Noticia::Aviso(_) => somar(&self.avisos),
            Noticia::Falhou(_) => somar(&self.falhas),
            Noticia::Troca(..) => {}
        }
    }
}

/// O andamento da simulação.
#[derive(Debug)]
pub struct Painel<'a> {
    barra: ProgressBar,
    placar: &'a Placar,
    avisou_espera: bool,
    servidor: String,
    espera: Duration,
}

impl<'a> Painel<'a> {
    /// Um painel para uma simulação de `ciclos` ciclos ao todo, que se contam em `placar`.
    pub fn novo(opcoes: &Opcoes, ciclos: u64, placar: &'a Placar) -> Self {
        // Fora de um terminal, a barra do indicatif não desenha nada.
        let barra = ProgressBar::new(ciclos);
        if let Ok(estilo) = ProgressStyle::with_template("{spinner} {pos}/{len} ciclos · {msg}") {
            barra.set_style(estilo);
        }
        Painel {
            barra,
            placar,
            avisou_espera: false,
            servidor: opcoes.servidor.clone(),
            espera: opcoes.espera,
        }
    }

    /// Mostra os recados até a última sessão terminar.
    pub fn acompanhar(mut self, recados: &Receiver<Recado>) {
        let mut proximo_quadro = Instant::now();
        loop {
            match recados.recv_timeout(proximo_quadro.saturating_duration_since(Instant::now())) {
                Ok(Recado::Esperando) => self.esperando(),
                Ok(Recado::FimDeLinha(achado)) => self.fim_de_linha(achado),
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

    fn noticia(&self, numero: usize, quando: Duration, noticia: Noticia) {
        match noticia {
            Noticia::Aviso(texto) => self.imprimir(numero, quando, visivel(&texto)),
            Noticia::Troca(comando, mensagem, demora) => {
                let comando = comando.nome().escape_ascii();
                let troca = format!("{comando} -> {mensagem} ({})", formatar(demora));
                self.imprimir(numero, quando, troca);
            }
            Noticia::Falhou(falha) => self.imprimir(numero, quando, format!("falha: {falha}")),
            // Só se contam.
            Noticia::Entrou
            | Noticia::Saiu
            | Noticia::Comprou
            | Noticia::Recusado
            | Noticia::Ciclo => {}
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

    fn fim_de_linha(&self, achado: FimDeLinha) {
        self.barra.suspend(|| {
            dizer(format_args!(
                "cliente: {} não entende comandos que terminam em LF; a multidão usa --fim-de-linha {}",
                self.servidor,
                achado.nome()
            ));
        });
    }

    /// Cabe em 80 colunas.
    fn atualizar(&self) {
        let Placar { ativos, ciclos, vendas, recusas, avisos, falhas, .. } = self.placar;
        let [ciclos, vendas, recusas, avisos, falhas] =
            [ciclos, vendas, recusas, avisos, falhas].map(|conta| conta.load(Ordering::Relaxed));
        let ativos = ativos.load(Ordering::Relaxed);
        let falhas = if falhas > 0 { format!(" · {falhas} falhas") } else { String::new() };
        self.barra.set_position(ciclos);
        self.barra.set_message(format!(
            "{ativos} ativos · {vendas} vendas · {recusas} recusas · {avisos} AVISOs{falhas}"
        ));
        self.barra.tick();
    }
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn cada_noticia_soma_na_sua_conta_e_quem_sai_deixa_de_estar() {
        let placar = Placar::default();
        let [entrou, saiu] = [Noticia::Entrou, Noticia::Saiu];
        let outras = [Noticia::Ciclo, Noticia::Comprou, Noticia::Recusado, Noticia::Ciclo];
        [entrou.clone(), entrou, saiu].iter().chain(&outras).for_each(|n| placar.anotar(n));
        placar.anotar(&Noticia::Aviso("AVISO: acabou".into()));
        let Placar { ativos, ciclos, vendas, recusas, avisos, falhas, .. } = placar;
        assert_eq!(ativos.into_inner(), 1);
        let contas = [ciclos, vendas, recusas, avisos, falhas].map(AtomicU64::into_inner);
        assert_eq!(contas, [2, 1, 1, 1, 0]);
    }
}
