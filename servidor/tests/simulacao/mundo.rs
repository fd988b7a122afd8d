//! O executor: leva cada evento ao balcão de produção e ao oráculo, lado a lado, e para na primeira
//! diferença.
//!
//! Aqui não há sorteio nem regra do servidor. O que há é o fim de todo roteiro: as faltas cessam, as
//! janelas abrem, os eventos devidos chegam uma vez, e em um número contado de turnos o balcão tem
//! de ficar sem nada a fazer, com tudo respondido ([`Mundo::sossegar`]).

use std::cell::RefCell;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use servidor::balcao::{Balcao, Limites};
use servidor::loja::Loja;
use servidor::registro::Registro;

use crate::evento::{Bytes, Evento, Roteiro, Sinais};
use crate::fluxo::{Cano, Escrita, FluxoFalso, Gesto, Leitura, Rede};
use crate::livro_de_mentira::{LivroFalso, NoTurno};
use crate::oraculo::{Oraculo, Vitrine};
use crate::veredito::{Veredito, exigir};

/// O que ficou de uma execução.
#[derive(Debug, Default)]
pub struct Rastro {
    /// FNV-1a de 64 bits, de palavra em palavra, de tudo o que aconteceu.
    pub impressao: u64,
    /// O mesmo, para ler; só se pedido.
    pub linhas: Option<Vec<String>>,
}

impl Rastro {
    pub fn novo(para_ler: bool) -> Self {
        Rastro { impressao: 0xCBF2_9CE4_8422_2325, linhas: para_ler.then(Vec::new) }
    }

    fn misturar(&mut self, palavra: u64) {
        self.impressao = (self.impressao ^ palavra).wrapping_mul(0x0000_0100_0000_01B3);
        self.impressao ^= self.impressao >> 32;
    }

    fn misturar_bytes(&mut self, bytes: &[u8]) {
        self.misturar(bytes.len() as u64);
        for pedaco in bytes.chunks(8) {
            let mut palavra = [0; 8];
            palavra[..pedaco.len()].copy_from_slice(pedaco);
            self.misturar(u64::from_le_bytes(palavra));
        }
    }

    fn contar(&mut self, linha: impl FnOnce() -> String) {
        if let Some(linhas) = &mut self.linhas {
            linhas.push(linha());
        }
    }
}

/// Executa estes eventos na casa deste roteiro, e depois o fim que todo roteiro tem.
pub fn executar(roteiro: &Roteiro, eventos: &[Evento], rastro: &mut Rastro) -> Veredito {
    let mut mundo = Mundo::novo(roteiro, rastro);
    for evento in eventos {
        mundo.rastro.contar(|| evento.to_string());
        mundo.aplicar(evento)?;
    }
    mundo.terminar(roteiro.abandona)
}

/// Poucos, para que os outros se perguntem ao livro.
const PEDIDOS_NA_MEMORIA: usize = 1;

struct Mundo<'a> {
    balcao: Balcao<FluxoFalso>,
    registro: Registro,
    rede: Rc<RefCell<Rede>>,
    oraculo: Oraculo,
    livro: LivroFalso,
    limites: Limites,
    inicio: Instant,
    /// Em milissegundos desde o começo.
    agora: u64,
    rastro: &'a mut Rastro,
}

impl<'a> Mundo<'a> {
    fn novo(roteiro: &Roteiro, rastro: &'a mut Rastro) -> Self {
        let inicio = Instant::now();
        let ocioso = roteiro.ocioso.map(Duration::from_millis);
        let limites = Limites {
            conexoes: roteiro.conexoes,
            por_endereco: roteiro.por_endereco,
            ocioso,
            memoria: usize::MAX,
        };
        let loja = Loja::que_lembra(PEDIDOS_NA_MEMORIA, roteiro.estoque);
        rastro.contar(|| {
            let (estoque, conexoes) = (roteiro.estoque, roteiro.conexoes);
            let cada = roteiro.por_endereco;
            format!("a casa: estoque {estoque}, lugares {conexoes} ({cada:?} de cada um), ocioso {ocioso:?}")
        });
        Mundo {
            balcao: Balcao::novo(loja, limites, inicio, FluxoFalso::fechar_escrita),
            registro: Registro::mudo(),
            rede: Rc::default(),
            oraculo: Oraculo::novo(roteiro),
            livro: LivroFalso::novo(roteiro.estoque),
            limites,
            inicio,
            agora: 0,
            rastro,
        }
    }

    fn aplicar(&mut self, evento: &Evento) -> Veredito {
        match evento {
            Evento::Entra(nome) => return self.entra(usize::from(*nome)),
            Evento::Manda(nome, bytes) => {
                self.rastro.misturar_bytes(bytes);
                self.no_cano(*nome, |cano| cano.chega(bytes));
            }
            Evento::Urgente(nome) => self.no_cano(*nome, Cano::chega_urgente),
            Evento::Fecha(nome) => self.no_cano(*nome, Cano::fecha),
            Evento::Quebra { nome, perde } => self.no_cano(*nome, |cano| cano.quebra(*perde)),
            Evento::QuebraEscrita(nome) => self.no_cano(*nome, Cano::quebra_escrita),
            Evento::Janela(nome, bytes) => self.no_cano(*nome, |cano| cano.janela(*bytes)),
            Evento::Gole(nome, bytes) => self.no_cano(*nome, |cano| cano.gole = *bytes),
            Evento::InterrompeLeitura(nome, vezes) => {
                self.no_cano(*nome, |cano| cano.interrompe_leitura = *vezes);
            }
            Evento::InterrompeEscrita(nome, vezes) => {
                self.no_cano(*nome, |cano| cano.interrompe_escrita = *vezes);
            }
            Evento::Entrega(nome, vezes) => return self.entrega(usize::from(*nome), *vezes),
            Evento::EntregaTodos(desde) => return self.entrega_todos(usize::from(*desde)),
            Evento::Falso(chave, sinais) => return self.marca(*chave, *sinais),
            Evento::Turno => return self.turno(),
            Evento::Passa(ms) => self.passa(*ms),
            Evento::Encerra => return self.encerra(),
            Evento::Livro(sorte) => self.livro.sorte = *sorte,
            Evento::DiscoDemora(ms) => self.livro.demora = *ms,
            Evento::FaltaLuz => self.religa(),
        }
        Ok(())
    }

    /// Mexe no socket de um cliente, se ele já entrou e o balcão ainda o tem.
    fn no_cano(&mut self, nome: u8, mexer: impl FnOnce(&mut Cano)) {
        let mut rede = self.rede.borrow_mut();
        if let Some(cano) = rede.cano(usize::from(nome)).filter(|cano| !cano.largado) {
            mexer(cano);
        }
    }

    fn entra(&mut self, nome: usize) -> Veredito {
        if self.oraculo.encerrando() || self.rede.borrow_mut().cano(nome).is_some() {
            return Ok(());
        }
        let chave = self.balcao.proxima_chave();
        let fluxo = FluxoFalso::novo(nome, &self.rede);
        let endereco = endereco(nome);
        self.rede.borrow_mut().limpar_diario();
        let agora = self.instante();
        self.balcao.admitir(fluxo, endereco, agora, &mut self.registro);
        let vitrine = self.vitrine();
        self.oraculo.entrou(nome, chave, &self.rede.borrow(), self.agora)?;
        self.oraculo.conferir_a_vitrine(&vitrine)
    }

    /// O evento devido a um cliente, se há, chega `vezes` vezes.
    fn entrega(&mut self, nome: usize, vezes: u8) -> Veredito {
        let Some(chave) = self.oraculo.chave(nome) else { return Ok(()) };
        let sinais = match self.rede.borrow_mut().cano(nome) {
            Some(cano) => std::mem::take(&mut cano.evento),
            None => return Ok(()),
        };
        for _ in 0..if sinais.algum() { vezes } else { 0 } {
            self.rastro.contar(|| format!("    evento de {nome}: {sinais}"));
            self.marca(chave, sinais)?;
        }
        Ok(())
    }

    fn entrega_todos(&mut self, desde: usize) -> Veredito {
        let mut nomes: Vec<usize> = self.oraculo.presentes().collect();
        let depois = nomes.iter().position(|nome| *nome >= desde).unwrap_or(0);
        nomes.rotate_left(depois);
        nomes.into_iter().try_for_each(|nome| self.entrega(nome, 1))
    }

    fn marca(&mut self, chave: usize, sinais: Sinais) -> Veredito {
        self.rastro.misturar((chave as u64) << 8 | sinais.bits());
        {
            let mut rede = self.rede.borrow_mut();
            rede.limpar_diario();
            let nome = self.oraculo.dono(chave);
            if let Some(cano) = nome.and_then(|nome| rede.cano(nome)) {
                cano.avisado(sinais);
            }
        }
        self.balcao.marcar(chave, sinais.prontidao());
        self.oraculo.marcou(chave, sinais, &self.rede.borrow())
    }

    fn turno(&mut self) -> Veredito {
        self.rede.borrow_mut().limpar_diario();
        self.oraculo.vai_girar();
        let agora = self.instante();
        let mut livro = NoTurno { livro: &mut self.livro, rede: &self.rede };
        let firmou = self.balcao.turno(agora, &mut self.registro, &mut livro);
        anotar(self.rastro, &self.rede.borrow());
        let demorou = self.oraculo.girou(&self.rede.borrow(), self.agora, firmou)?;
        self.agora += demorou;
        if firmou.is_err() {
            self.religa();
            return Ok(());
        }
        let vitrine = self.vitrine();
        self.oraculo.conferir_o_turno(&self.rede.borrow(), &vitrine)
    }

    /// O servidor cai e abre de novo: as conexões se foram, e o estoque é o que o livro diz.
    fn religa(&mut self) {
        self.rastro.contar(|| format!("    abre de novo, com {}", self.livro.restantes()));
        self.rastro.misturar(self.livro.firmes);
        let loja = Loja::que_lembra(PEDIDOS_NA_MEMORIA, self.livro.restantes());
        let agora = self.instante();
        self.balcao = Balcao::novo(loja, self.limites, agora, FluxoFalso::fechar_escrita);
        self.oraculo.caiu(&self.livro, self.agora);
    }

    fn passa(&mut self, ms: u64) {
        self.rastro.misturar(ms);
        self.agora += ms;
    }

    fn encerra(&mut self) -> Veredito {
        self.rede.borrow_mut().limpar_diario();
        self.balcao.encerrar();
        self.oraculo.encerrou(&mut self.rede.borrow_mut())
    }

    fn instante(&self) -> Instant {
        self.inicio + Duration::from_millis(self.agora)
    }

    fn vitrine(&self) -> Vitrine {
        let loja = self.balcao.loja();
        let ms = |prazo: Instant| (prazo - self.inicio).as_millis() as u64;
        Vitrine {
            contas: self.balcao.contas(),
            ativas: self.balcao.ativas(),
            vazio: self.balcao.vazio(),
            tem_trabalho: self.balcao.tem_trabalho(),
            estoque: loja.estoque(),
            vendas: loja.vendas(),
            recusas: loja.recusas(),
            guardados: self.balcao.guardados(),
            proximo_prazo: self.balcao.proximo_prazo().map(ms),
        }
    }

    // O fim de todo roteiro.

    fn terminar(&mut self, abandona: bool) -> Veredito {
        if abandona {
            return self.abandona();
        }
        self.rastro.contar(|| "— as faltas cessam —".into());
        self.sossegar()?;
        // Passam o prazo para fechar, o da linha e o da saída; depois, todos fecham.
        for ms in [3000, 32_000] {
            self.rastro.contar(|| format!("passam {ms} ms"));
            self.passa(ms);
            self.sossegar()?;
        }
        self.rastro.contar(|| "todos fecham".into());
        let nomes: Vec<usize> = self.oraculo.presentes().collect();
        nomes.iter().for_each(|nome| self.no_cano(*nome as u8, Cano::fecha));
        self.sossegar()?;
        exigir(self.balcao.vazio(), "sem mais faltas, tudo se conclui", || {
            format!("todos fecharam, e ainda há {:?}", self.oraculo.presentes().collect::<Vec<_>>())
        })
    }

    /// Ninguém mais quebra nem para: todos leem, e os eventos devidos chegam, uma vez. O balcão tem
    /// um número contado de turnos para ficar sem nada a fazer.
    fn sossegar(&mut self) -> Veredito {
        let nomes: Vec<usize> = self.oraculo.presentes().collect();
        for nome in nomes {
            self.no_cano(nome as u8, |cano| {
                cano.gole = usize::MAX;
                cano.interrompe_leitura = 0;
                cano.interrompe_escrita = 0;
                cano.janela(usize::MAX);
            });
        }
        let turnos = self.oraculo.turnos_ate_o_sossego(&self.rede.borrow());
        for _ in 0..turnos {
            self.entrega_todos(0)?;
            self.rastro.contar(|| "turno".into());
            self.turno()?;
        }
        exigir(!self.balcao.tem_trabalho(), "sem trabalho, o laço dorme", || {
            format!("depois de {turnos} turnos sem novidade, ainda diz que tem trabalho")
        })?;
        self.oraculo.conferir_o_sossego(&self.rede.borrow())
    }

    fn abandona(&mut self) -> Veredito {
        self.rastro.contar(|| "o prazo de fechar venceu".into());
        self.rede.borrow_mut().limpar_diario();
        self.balcao.abandonar(&mut self.registro);
        self.oraculo.abandonou(&self.rede.borrow())?;
        self.oraculo.conferir_a_vitrine(&self.vitrine())
    }
}

/// Quantas pessoas são os clientes todos.
pub const PESSOAS: usize = 4;

/// Cada cliente tem o seu; o IP é o de uma de [`PESSOAS`] pessoas, duas com um IPv4 e duas com uma rede IPv6.
pub fn endereco(nome: usize) -> SocketAddr {
    let (pessoa, baixo) = ((nome % PESSOAS) as u8, nome as u16);
    let ip = match pessoa {
        0 | 1 => IpAddr::from([127, 0, 0, 1 + pessoa]),
        _ => IpAddr::from([0x2001, 0xdb8, 0, pessoa.into(), baixo, 0, 0, 1]),
    };
    SocketAddr::from((ip, 10_000 + baixo))
}

/// O que o balcão fez neste turno, no rastro.
fn anotar(rastro: &mut Rastro, rede: &Rede) {
    rastro.misturar(rede.gestos.len() as u64);
    for gesto in &rede.gestos {
        let (nome, verbo, quanto) = match gesto {
            Gesto::Firmou { vendas, numerados, firmou, .. } => {
                (&vendas.len(), 6, 2 * numerados.len() as u64 + u64::from(*firmou))
            }
            Gesto::Leu { nome, deu, .. } => (nome, 1, numero_da_leitura(*deu)),
            Gesto::Escreveu { nome, deu, .. } => (nome, 2, numero_da_escrita(*deu)),
            Gesto::FechouEscrita { nome } => (nome, 3, 0),
            Gesto::Largou { nome } => (nome, 4, 0),
            Gesto::Abusou { nome, .. } => (nome, 5, 0),
        };
        rastro.misturar((*nome as u64) << 40 | verbo << 32 | quanto);
    }
    rastro.misturar_bytes(&rede.oferecidos);
    if rastro.linhas.is_some() {
        rede.gestos.iter().for_each(|gesto| rastro.contar(|| descrever(gesto, rede)));
    }
}

fn numero_da_leitura(deu: Leitura) -> u64 {
    match deu {
        Leitura::Bytes(lidos) => lidos as u64,
        Leitura::Fim => 1 << 24,
        Leitura::Seco => 2 << 24,
        Leitura::Interrompida => 3 << 24,
        Leitura::Erro => 4 << 24,
    }
}

fn numero_da_escrita(deu: Escrita) -> u64 {
    match deu {
        Escrita::Bytes(escritos) => escritos as u64,
        Escrita::Cheio => 1 << 24,
        Escrita::Interrompida => 2 << 24,
        Escrita::Erro => 3 << 24,
    }
}

fn descrever(gesto: &Gesto, rede: &Rede) -> String {
    let mut linha = String::from("    ");
    // Escrever em uma String não falha.
    let _ = match gesto {
        Gesto::Leu { nome, deu, .. } => write!(linha, "lê {nome}: {deu:?}"),
        Gesto::Escreveu { nome, oferecidos, deu } => {
            let bytes = &rede.oferecidos[oferecidos.clone()];
            write!(linha, "diz a {nome}: {}: {deu:?}", Bytes(bytes))
        }
        Gesto::FechouEscrita { nome } => write!(linha, "fecha a escrita de {nome}"),
        Gesto::Firmou { vendas, firmou: true, demora, .. } => {
            write!(linha, "firma {} vendas, em {demora} ms", vendas.len())
        }
        Gesto::Firmou { vendas, .. } => write!(linha, "não firma {} vendas", vendas.len()),
        Gesto::Largou { nome } => write!(linha, "remove {nome}"),
        Gesto::Abusou { nome, como } => write!(linha, "com {nome}: {como}"),
    };
    linha
}
