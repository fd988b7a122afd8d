//! As provas: o que se tenta com o servidor, e o que se viu. Quantos pontos vale, não é daqui.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use protocolo::{Comando, Mensagem};

use super::banca::{Banca, Quem, Ritmo};
use super::disputa::{Disputa, Ouvintes, Plano, contradicoes, disputar};
use super::fregues::{Fregues, Mundo, Troca};
use super::laudo::Rodada;
use super::pontos::linhas_da_porta;
use crate::opcoes::{FimDeLinha, OpcoesDaAvaliacao};
use crate::parecer::Violacao;

/// Quantas provas há além das rodadas de disputa.
pub const OUTRAS_PROVAS: u64 = 5;

/// Quantas unidades se compram, por mais que o servidor diga ter.
const ESTOQUE_MAXIMO: u64 = 1000;

/// Quanto se espera, depois de uma provocação, que o servidor caia por causa dela.
const TEMPO_DE_CAIR: Duration = Duration::from_millis(200);

/// Tudo o que as provas viram.
#[derive(Debug, Default)]
pub struct Evidencias {
    /// Uma conversa calma, um comando por vez.
    pub conversa: Conversa,
    /// Com um cliente calado na frente, outro teve resposta?
    pub atras_do_calado: Option<Troca>,
    /// Com um cliente no meio de um comando, outro teve resposta?
    pub atras_da_metade: Option<Troca>,
    /// As disputas.
    pub rodadas: Vec<Rodada>,
    /// Quem ouviu o AVISO na primeira disputa.
    pub aviso: Ouvintes,
    /// As provocações, na ordem, e se o servidor continuou atendendo depois de cada uma.
    pub robustez: Vec<(Provocacao, Result<(), String>)>,
    /// Nas disputas, o Python do servidor trocou de thread mais depressa.
    pub apressado: bool,
    /// O comando terminou, e deixou o servidor em segundo plano.
    pub em_segundo_plano: bool,
    /// A maior fração de um núcleo que o servidor gastou sem ninguém conectado, se não ficou parado.
    pub gasto_em_sossego: Option<f64>,
}

/// Uma conversa calma: consultas, compras até acabar, e uma recusa.
#[derive(Debug, Default)]
pub struct Conversa {
    /// O primeiro estoque que se leu.
    pub inicial: Option<i128>,
    /// As consultas.
    pub consultas: Vec<Troca>,
    /// As compras que deviam ser feitas.
    pub compras: Vec<Troca>,
    /// As compras que deviam ser recusadas.
    pub recusas: Vec<Troca>,
    /// A primeira contradição da conversa.
    pub contradicao: Option<Violacao>,
    /// A porta do cliente, para achá-lo no console.
    pub porta: Option<u16>,
    /// O console do servidor.
    pub console: Option<String>,
}

/// Um jeito de um cliente fazer o que não devia.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provocacao {
    /// Resets, com e sem um comando no meio.
    Resets,
    /// Ir embora no meio de um comando.
    Metades,
    /// Bytes que não são comando nem texto.
    Lixo,
}

/// Abre o servidor pela primeira vez: acha o endereço em que ele atende, e o que ele espera depois de um
/// comando, que é o primeiro fim de linha com que ele entende CONSULTAR; na dúvida, LF.
///
/// # Errors
///
/// O servidor não abriu.
pub fn inaugurar(mundo: &mut Mundo) -> Result<FimDeLinha, String> {
    let _banca = Banca::inaugurar(mundo)?;
    for fim_de_linha in FimDeLinha::TENTADOS {
        // A recusa de um fim de linha não ensina nada sobre os outros.
        let tentativa = Mundo { fim_de_linha, estilo: Arc::default(), ..mundo.clone() };
        let Ok(mut fregues) = Fregues::conectar(&tentativa) else { continue };
        if let Some(Mensagem::Estoque(_)) = fregues.pede(Comando::Consultar) {
            return Ok(fim_de_linha);
        }
    }
    Ok(FimDeLinha::Lf)
}

/// Onde as provas acontecem.
#[derive(Clone, Copy)]
pub struct Sala<'a> {
    /// O servidor.
    pub mundo: &'a Mundo,
    /// O que se pediu.
    pub opcoes: &'a OpcoesDaAvaliacao,
    /// O andamento.
    pub barra: &'a ProgressBar,
}

impl<'a> Sala<'a> {
    /// Faz todas as provas, as que podem derrubar o servidor por último.
    ///
    /// # Errors
    ///
    /// O servidor deixou de abrir, ou a avaliação foi interrompida.
    pub fn reunir(self) -> Result<Evidencias, String> {
        let mut vistas = Evidencias::default();
        self.anuncia("uma conversa calma");
        vistas.conversa = self.conversar()?;
        self.anuncia("um cliente calado");
        vistas.atras_do_calado = self.atras_de(b"")?;
        vistas.atras_da_metade = self.atras_de(b"CONSU")?;
        let rodadas = if self.no_ar() { 1 } else { self.opcoes.rodadas };
        for rodada in 0..rodadas {
            self.anuncia("todos compram ao mesmo tempo");
            self.disputar(rodada == 0, &mut vistas)?;
            if vistas.rodadas.iter().any(|rodada| rodada.atendidos < 2) {
                // Quem atende um por vez nunca terá uma disputa.
                break;
            }
        }
        for provocacao in [Provocacao::Resets, Provocacao::Metades, Provocacao::Lixo] {
            self.anuncia("clientes que fazem o que não devem");
            let resultado = self.provocar(provocacao, &mut vistas.gasto_em_sossego)?;
            vistas.robustez.push((provocacao, resultado));
        }
        Ok(vistas)
    }

    fn anuncia(self, prova: &'static str) {
        self.barra.set_message(prova);
        self.barra.inc(1);
        self.barra.tick();
    }

    fn no_ar(self) -> bool {
        matches!(self.mundo.quem, Quem::NoAr)
    }

    fn abrir(self, ritmo: Ritmo) -> Result<(Banca, Fregues<'a>), String> {
        if self.mundo.parada.pedida() {
            return Err("interrompida".into());
        }
        Banca::abrir(self.mundo, ritmo)
    }

    /// Um só cliente, um comando por vez. De um servidor que já estava no ar não se gasta o estoque.
    fn conversar(self) -> Result<Conversa, String> {
        let (banca, mut fregues) = self.abrir(Ritmo::Normal)?;
        let porta = fregues.porta();
        let consultada = fregues.pede(Comando::Consultar);
        let inicial = match consultada {
            Some(Mensagem::Estoque(inicial)) => Some(inicial),
            _ => None,
        };
        let ha = inicial.and_then(|n| u64::try_from(n).ok()).unwrap_or(self.opcoes.estoque);
        if !self.no_ar() && consultada.is_some() {
            for _ in 0..ha.min(ESTOQUE_MAXIMO) {
                fregues.pede(Comando::Comprar);
            }
            fregues.pede(Comando::Comprar);
            fregues.pede(Comando::Consultar);
        }
        let (consultas, compras): (Vec<Troca>, Vec<Troca>) =
            fregues.trocas.iter().cloned().partition(|troca| troca.comando == Comando::Consultar);
        let deviam = compras.len().saturating_sub(1);
        let console = console_com(&banca, porta, fregues.trocas.len());
        let estoque = inicial.and_then(|n| u64::try_from(n).ok());
        let contradicao = contradicoes(vec![fregues.conta(1)], estoque).into_iter().next();
        let (compras, recusas) = compras.split_at(deviam);
        let (compras, recusas) = (compras.to_vec(), recusas.to_vec());
        Ok(Conversa { inicial, consultas, compras, recusas, contradicao, porta, console })
    }

    /// Um cliente manda `antes` e se cala; outro consulta.
    fn atras_de(self, antes: &[u8]) -> Result<Option<Troca>, String> {
        let (_banca, calado) = self.abrir(Ritmo::Normal)?;
        calado.manda(antes);
        let Ok(mut outro) = Fregues::conectar(self.mundo) else { return Ok(None) };
        outro.pede(Comando::Consultar);
        Ok(outro.trocas.pop().filter(|troca| troca.resposta.is_some()))
    }

    /// Uma disputa, com um servidor recém-aberto. Só a primeira fica para ouvir o AVISO.
    fn disputar(self, primeira: bool, vistas: &mut Evidencias) -> Result<(), String> {
        let (mut banca, primeiro) = self.abrir(Ritmo::Apressado)?;
        vistas.apressado |= banca.apressado();
        // Com quanto abriu, só se sabe de quem abrimos: no ar, outros podem ter comprado.
        let lido = vistas.conversa.inicial.and_then(|n| u64::try_from(n).ok());
        let plano = Plano {
            compradores: self.opcoes.compradores,
            ha: lido.unwrap_or(self.opcoes.estoque).min(ESTOQUE_MAXIMO),
            estoque: lido.filter(|_| !self.no_ar()),
            ouvir: primeira,
        };
        let Disputa { rodada, aviso, compras } = disputar(self.mundo, primeiro, plano)?;
        vistas.em_segundo_plano |= banca.em_segundo_plano();
        vistas.rodadas.push(rodada);
        if primeira {
            vistas.aviso = aviso;
        }
        if self.no_ar() {
            let vendeu = |t: &Troca| matches!(t.entendida(), Some(Mensagem::Compra { .. }));
            (vistas.conversa.compras, vistas.conversa.recusas) =
                compras.into_iter().partition(vendeu);
        }
        Ok(())
    }

    /// Faz a provocação, e confere que quem estava conectado e quem chega continuam sendo atendidos.
    /// Depois, com todos fora, olha quanto o servidor gasta parado.
    fn provocar(
        self,
        provocacao: Provocacao,
        gasto: &mut Option<f64>,
    ) -> Result<Result<(), String>, String> {
        let (mut banca, mut testemunha) = match self.abrir(Ritmo::Normal) {
            Ok(aberta) => aberta,
            // No ar, ninguém o reabre: se caiu, foi na provocação anterior.
            Err(porque) if self.no_ar() => return Ok(Err(porque)),
            Err(porque) => return Err(porque),
        };
        let antes = testemunha.pede(Comando::Consultar).is_some();
        for vez in 0..20 {
            if let Ok(fregues) = Fregues::conectar(self.mundo) {
                provocacao.fazer(vez, fregues);
            }
        }
        self.mundo.parada.dormir(TEMPO_DE_CAIR);
        if !banca.vivo() {
            return Ok(Err(format!("o servidor terminou{}", banca.causa())));
        }
        // Também o AVISO: quem avisa os que já se foram não pode deixar os outros sem atendimento.
        if !self.no_ar() {
            testemunha.compra_tudo(self.opcoes.estoque + 1);
        }
        if antes && testemunha.pede(Comando::Consultar).is_none() {
            let causa = banca.causa();
            return Ok(Err(format!("quem já estava conectado deixou de ser atendido{causa}")));
        }
        drop(testemunha);
        let atendido = Fregues::conectar(self.mundo)
            .is_ok_and(|mut novo| novo.pede(Comando::Comprar).is_some());
        if !atendido || !banca.vivo() {
            let causa = banca.causa();
            return Ok(Err(format!("quem chegou depois não foi atendido{causa}")));
        }
        let antes = gasto.take().into_iter();
        *gasto = antes.chain(banca.gasto_em_sossego(self.mundo)).reduce(f64::max);
        Ok(Ok(()))
    }
}

impl Provocacao {
    fn fazer(self, vez: usize, fregues: Fregues<'_>) {
        match self {
            Provocacao::Resets => {
                let antes: [&[u8]; 4] = [b"", b"COMP", b"CONSULTAR", b"CONSULTAR\n"];
                fregues.manda(antes[vez % antes.len()]);
                fregues.reseta();
            }
            Provocacao::Metades => {
                fregues.manda(b"CONSUL");
                fregues.desiste();
            }
            Provocacao::Lixo => {
                let lixo: [&[u8]; 4] = [b"\xff\xfe\x00\x80\n", b"\n", b"VENDER\n", &[b'x'; 5000]];
                fregues.manda(lixo[vez % lixo.len()]);
                fregues.desiste();
            }
        }
    }
}

/// O console, depois que as linhas deste cliente chegaram a ele, ou que se cansou de esperar.
fn console_com(banca: &Banca, porta: Option<u16>, linhas: usize) -> Option<String> {
    let porta = porta?;
    for _ in 0..50 {
        let console = banca.console()?;
        if linhas_da_porta(&console, porta).count() >= linhas {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    banca.console()
}
