//! O painel: mostra ao vivo o que a multidão conta, enquanto ela vive.
//!
//! O AVISO é impresso na saída padrão assim que chega (§7): os primeiros, e no fim quantos mais; com
//! `--detalhado`, todos. O andamento, animado, vai à saída de erro, e só quando ela é um terminal. O painel não guarda história nenhuma: o resumo e o veredito
//! vêm das sessões.
//!
//! O que só se conta vai ao [`Placar`], que se olha a cada quadro: um evento por venda acordaria o painel
//! milhares de vezes por segundo para somar um.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use protocolo::mensagem::visivel;
use protocolo::terminal::{contar, dizer};

use crate::conversa::fim_de_linha::FimDeLinha;
use crate::multidao::evento::Evento;
use crate::multidao::fila::Situacao;
use crate::multidao::sessao::Contexto;
use crate::opcoes::Faixa;
use crate::opcoes::Opcoes;
use crate::tempo::{como_se_pede, formatar, instante, quanto_falta};

/// De quanto em quanto tempo o andamento se atualiza.
const QUADRO: Duration = Duration::from_millis(100);

/// Quantos AVISOs se mostram sem `--detalhado`: de duzentos iguais, os outros só se contam.
const AVISOS_MOSTRADOS: u64 = 5;

/// A largura da linha do andamento, em colunas, sem o sinal que gira antes dela.
const COLUNAS: usize = 78;

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

    /// Conta este evento.
    pub fn anotar(&self, evento: &Evento) {
        let somar = |conta: &AtomicU64| {
            conta.fetch_add(1, Ordering::Relaxed);
        };
        match evento {
            Evento::Entrou => {
                self.ativos.fetch_add(1, Ordering::Relaxed);
            }
            Evento::Saiu => {
                self.ativos.fetch_sub(1, Ordering::Relaxed);
            }
            Evento::Ciclo => somar(&self.ciclos),
            Evento::Comprou => somar(&self.vendas),
            Evento::Recusado => somar(&self.recusas),
            Evento::Aviso(_) => somar(&self.avisos),
            Evento::Falhou(_) => somar(&self.falhas),
            Evento::Troca(..) | Evento::Esperando(_) | Evento::FimDeLinha(_) => {}
        }
    }
}

/// O que se sabe antes de começar: quanto há por fazer, e quanto deve levar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Previsao {
    ciclos: u64,
    /// As esperas do usuário que faz mais, em segundos: menos que isto não leva.
    segundos: f64,
}

impl Previsao {
    /// A de uma simulação em que cada usuário faz os `ciclos` que o roteiro dele prevê, em tantas threads.
    pub fn de(opcoes: &Opcoes, ciclos: impl Iterator<Item = u32>, threads: usize) -> Self {
        let media =
            |faixa: Faixa<Duration>| (faixa.de.as_secs_f64() + faixa.ate.as_secs_f64()) / 2.0;
        let por_ciclo = media(opcoes.decisao) + media(opcoes.escuta);
        let (mut todos, mut maior) = (0, 0);
        for deste in ciclos {
            todos += u64::from(deste);
            maior = maior.max(deste);
        }
        // Os últimos chegam ao fim da rampa, e quem não tem thread espera a vez.
        let do_maior = opcoes.carga.rampa().as_secs_f64() + por_ciclo * f64::from(maior);
        let em_filas = por_ciclo * todos as f64 / threads.max(1) as f64;
        Previsao { ciclos: todos, segundos: do_maior.max(em_filas) / opcoes.acelerar }
    }

    /// Quantos segundos faltam, depois de `decorridos` e de tantos ciclos: o que as esperas ainda pedem ou,
    /// se o servidor demora mais que elas, o que falta no passo em que se vai.
    fn falta(&self, decorridos: f64, feitos: u64) -> f64 {
        let por_fazer = self.ciclos.saturating_sub(feitos) as f64;
        let no_passo = if feitos > 0 { decorridos * por_fazer / feitos as f64 } else { 0.0 };
        no_passo.max(self.segundos - decorridos)
    }
}

/// O andamento da simulação.
pub struct Painel<'a> {
    barra: ProgressBar,
    contexto: &'a Contexto,
    previsao: Previsao,
    comecou: Instant,
    detalhado: bool,
    /// Quantos AVISOs chegaram, e o instante do último.
    avisos: (u64, Duration),
    avisou_espera: bool,
    servidores: &'a [String],
    espera: Duration,
}

impl<'a> Painel<'a> {
    /// Um painel para a simulação de que se prevê isto, e que se conta em `contexto`.
    pub fn novo(opcoes: &'a Opcoes, previsao: Previsao, contexto: &'a Contexto) -> Self {
        // Fora de um terminal, a barra do indicatif não desenha nada.
        let barra = ProgressBar::new(previsao.ciclos);
        if let Ok(estilo) = ProgressStyle::with_template("{spinner} {msg}") {
            barra.set_style(estilo);
        }
        Painel {
            barra,
            contexto,
            previsao,
            comecou: Instant::now(),
            detalhado: opcoes.detalhado,
            avisos: (0, Duration::ZERO),
            avisou_espera: false,
            servidores: &opcoes.servidores,
            espera: opcoes.espera,
        }
    }

    /// Mostra os eventos até a última sessão terminar.
    pub fn acompanhar(mut self, eventos: &Receiver<(usize, Duration, Evento)>) {
        let mut proximo_quadro = Instant::now();
        loop {
            match eventos.recv_timeout(proximo_quadro.saturating_duration_since(Instant::now())) {
                Ok((numero, quando, evento)) => self.evento(numero, quando, evento),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.concluir(),
            }
            if Instant::now() >= proximo_quadro {
                self.atualizar();
                proximo_quadro = Instant::now() + QUADRO;
            }
        }
    }

    fn evento(&mut self, numero: usize, quando: Duration, evento: Evento) {
        match evento {
            Evento::Esperando(qual) => self.esperando(qual),
            Evento::FimDeLinha(achado) => self.fim_de_linha(achado),
            Evento::Aviso(texto) => {
                self.avisos = (self.avisos.0 + 1, quando);
                if self.detalhado || self.avisos.0 <= AVISOS_MOSTRADOS {
                    self.imprimir(numero, quando, visivel(&texto));
                }
            }
            Evento::Troca(comando, mensagem, demora) => {
                let comando = comando.nome().escape_ascii();
                let troca = format!("{comando} -> {mensagem} ({})", formatar(demora));
                self.imprimir(numero, quando, troca);
            }
            Evento::Falhou(falha) => self.imprimir(numero, quando, format!("falha: {falha}")),
            // Só se contam.
            Evento::Entrou | Evento::Saiu | Evento::Comprou | Evento::Recusado | Evento::Ciclo => {}
        }
    }

    fn imprimir(&self, numero: usize, quando: Duration, texto: impl Display) {
        self.linha(quando, format_args!("usuário {numero}: {texto}"));
    }

    fn linha(&self, quando: Duration, texto: impl Display) {
        self.barra.suspend(|| {
            // Se ninguém mais lê a saída padrão, a simulação continua.
            let quando = instante(quando, 3);
            let _ = writeln!(io::stdout(), "{quando:>11}  {texto}");
        });
    }

    fn concluir(&self) {
        self.barra.finish_and_clear();
        let (avisos, ultimo) = self.avisos;
        let calados = avisos.saturating_sub(AVISOS_MOSTRADOS);
        if calados > 0 && !self.detalhado {
            let mais = contar(calados as usize, "AVISO", "AVISOs");
            self.linha(ultimo, format_args!("e mais {mais} até aqui (--detalhado mostra todos)"));
        }
    }

    fn esperando(&mut self, qual: usize) {
        if !std::mem::replace(&mut self.avisou_espera, true) {
            let servidor = self.servidores.get(qual).map_or("", String::as_str);
            let espera = como_se_pede(self.espera);
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
                self.servidores.join(","),
                achado.nome()
            ));
        });
    }

    fn atualizar(&self) {
        let placar = &self.contexto.placar;
        let comeco = match &self.contexto.fila {
            Some(fila) => das_chegadas(fila.situacao(self.contexto.agora())),
            None => {
                let feitos = placar.ciclos.load(Ordering::Relaxed);
                let falta = self.previsao.falta(self.comecou.elapsed().as_secs_f64(), feitos);
                dos_ciclos(feitos, self.previsao.ciclos, falta)
            }
        };
        self.barra.set_message(andamento(placar, comeco));
        self.barra.tick();
    }
}

/// O começo da linha, no laço fechado: quantos ciclos, e quanto falta.
fn dos_ciclos(feitos: u64, ciclos: u64, falta: f64) -> String {
    let falta = if feitos < ciclos { format!(", {}", quanto_falta(falta)) } else { String::new() };
    format!("{feitos}/{ciclos} ciclos{falta}")
}

/// O começo da linha, no laço aberto: quantas chegadas, quantas esperam um usuário, e quanto falta para a última.
fn das_chegadas(Situacao { marcadas, esperando, falta }: Situacao) -> String {
    let quanto = match falta {
        Duration::ZERO => String::new(),
        falta => format!(", {}", quanto_falta(falta.as_secs_f64())),
    };
    format!("{marcadas} chegadas{quanto} · {esperando} na fila")
}

/// A linha do andamento, do que mais importa ao que menos: o que não cabe em [`COLUNAS`] fica de fora.
fn andamento(placar: &Placar, mut linha: String) -> String {
    let Placar { ativos, vendas, recusas, avisos, falhas, .. } = placar;
    let [vendas, recusas, avisos, falhas] =
        [vendas, recusas, avisos, falhas].map(|conta| conta.load(Ordering::Relaxed));
    let ativos = ativos.load(Ordering::Relaxed);
    let partes = [
        (falhas > 0).then(|| format!("{falhas} falhas")),
        Some(format!("{vendas} vendas")),
        Some(format!("{avisos} AVISOs")),
        Some(format!("{recusas} recusas")),
        Some(format!("{ativos} ativos")),
    ];
    for parte in partes.into_iter().flatten() {
        if linha.chars().count() + 3 + parte.chars().count() <= COLUNAS {
            linha += &format!(" · {parte}");
        }
    }
    linha
}

#[cfg(test)]
mod testes {
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    #[test]
    fn cada_evento_soma_na_sua_conta_e_quem_sai_deixa_de_estar() {
        let placar = Placar::default();
        let [entrou, saiu] = [Evento::Entrou, Evento::Saiu];
        let outras = [Evento::Ciclo, Evento::Comprou, Evento::Recusado, Evento::Ciclo];
        [entrou.clone(), entrou, saiu].iter().chain(&outras).for_each(|n| placar.anotar(n));
        placar.anotar(&Evento::Aviso("AVISO: acabou".into()));
        let Placar { ativos, ciclos, vendas, recusas, avisos, falhas, .. } = placar;
        assert_eq!(ativos.into_inner(), 1);
        let contas = [ciclos, vendas, recusas, avisos, falhas].map(AtomicU64::into_inner);
        assert_eq!(contas, [2, 1, 1, 1, 0]);
    }

    fn previsao(linha: &str, ciclos: &[u32], threads: usize) -> Previsao {
        let opcoes = Opcoes::parse_from(linha.split(' '));
        Previsao::de(&opcoes, ciclos.iter().copied(), threads)
    }

    #[test]
    fn o_que_falta_e_o_que_as_esperas_pedem_ou_o_passo_do_servidor_se_e_mais_lento() {
        let linha = "cliente --decisao 1s --escuta 2s..4s --rampa 10s --acelerar 2";
        // O que faz mais: 20 ciclos de 4 s, depois da rampa, tudo pela metade.
        let prevista = previsao(linha, &[10, 20, 10], 3);
        assert_eq!(prevista, Previsao { ciclos: 40, segundos: 45.0 });
        assert_eq!(prevista.falta(0.0, 0), 45.0);
        assert_eq!(prevista.falta(15.0, 20), 30.0);
        assert_eq!(prevista.falta(60.0, 20), 60.0, "o servidor demora o dobro do previsto");
        assert_eq!(previsao(linha, &[10, 20, 10], 1).segundos, 80.0, "um de cada vez");
        assert_eq!(prevista.falta(44.0, 40), 1.0);
        assert_eq!(prevista.falta(50.0, 41), 0.0, "nem contas a mais dão um tempo negativo");
    }

    #[test]
    fn o_andamento_diz_primeiro_quanto_falta_e_acaba_sem_dizer_que_falta() {
        let placar = Placar::default();
        placar.falhas.store(2, Ordering::Relaxed);
        assert_eq!(
            andamento(&placar, dos_ciclos(1200, 3000, 130.0)),
            "1200/3000 ciclos, faltam 3 min · 2 falhas · 0 vendas · 0 AVISOs · 0 recusas",
            "os ativos já não cabem"
        );
        assert!(
            andamento(&placar, dos_ciclos(1200, 1200, 0.0))
                .starts_with("1200/1200 ciclos · 2 falhas")
        );
    }

    proptest! {
        #[test]
        fn o_andamento_cabe_sempre(contas: [u64; 5], ativos: i64, ciclos: u64, falta: u32) {
            let feitos = contas[0];
            let [_, vendas, recusas, avisos, falhas] = contas.map(AtomicU64::new);
            let ativos = AtomicI64::new(ativos);
            let placar = Placar { ativos, vendas, recusas, avisos, falhas, ..Placar::default() };
            let situacao = Situacao { marcadas: feitos, esperando: ciclos, falta: Duration::from_secs(falta.into()) };
            for comeco in [dos_ciclos(feitos, ciclos, falta.into()), das_chegadas(situacao)] {
                let linha = andamento(&placar, comeco);
                prop_assert!(linha.chars().count() <= COLUNAS, "{}", linha);
            }
        }
    }
}
