//! Quantos pontos vale o que as provas viram: os pesos são os do §10. Funções puras.

use std::time::Duration;

use protocolo::Mensagem;
use protocolo::mensagem::visivel;
use protocolo::terminal::contar;

use super::boletim::{Conferencia, Estado, Extra};
use super::costumes::PRAZO;
use super::evidencias::{
    Atras, Conversa, Evidencias, Ouvintes, Provocacao, Rodada, demora_tipica, linhas_das_portas,
};
use super::sonda::Troca;
use crate::auditoria::regra::Regra;
use crate::auditoria::veredito::Estoque;
use crate::tempo::formatar;

/// A resposta do enunciado a uma compra.
const COMPRA: &str = "Compra realizada. Estoque restante: 9";

/// A partir de quanto uma compra é lenta: uma que funciona leva milissegundos.
const LENTO: Duration = Duration::from_millis(50);

fn conferencia(
    tentou: impl Into<String>,
    de: f64,
    fracao: f64,
    viu: impl Into<String>,
) -> Conferencia {
    Conferencia { tentou: tentou.into(), viu: viu.into(), pontos: de * fracao, de }
}

/// O que este servidor diz quando se lhe fala, se nada do que diz é do protocolo: não é um servidor desta
/// atividade, e o que faz com as conexões não vale pontos.
fn outra_lingua(vistas: &Evidencias) -> Option<String> {
    let Conversa { consultas, compras, recusas, .. } = &vistas.conversa;
    let trocas = || consultas.iter().chain(compras).chain(recusas);
    if trocas().any(Troca::se_entende) {
        return None;
    }
    let dita = trocas().find(|troca| troca.resposta.is_some());
    Some(match dita {
        Some(troca) => format!("não fala o protocolo: {}", pediu_e_veio(troca)),
        None => "não fala o protocolo: não respondeu nada a ninguém".into(),
    })
}

fn pediu_e_veio(troca: &Troca) -> String {
    let comando = String::from_utf8_lossy(troca.comando.nome()).into_owned();
    format!("a {comando} respondeu '{}'", mostrar(troca))
}

/// Multithreading, 3,0: "servidor aceita conexões simultâneas sem bloquear".
pub fn multithreading(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let convidados = vistas.rodadas.iter().map(|rodada| rodada.convidados).min();
    let convidados = convidados.unwrap_or(compradores);
    let tentou = [
        "um cliente conectado e calado; outro pede CONSULTAR".to_owned(),
        "um cliente manda meio comando e para; outro pede CONSULTAR".to_owned(),
        format!("{convidados} clientes conectados ao mesmo tempo, todos consultam"),
    ];
    let [calado, metade] = [&vistas.atras_do_calado, &vistas.atras_da_metade]
        .map(|atras| julgar_atras(atras, &vistas.conversa));
    let todos = julgar_juntos(vistas, convidados);
    let um_por_vez = calado.0 == 0.0 && vistas.rodadas.iter().all(|r| r.atendidos < 2);
    let porque = outra_lingua(vistas);
    let julgar = |(fracao, viu): (f64, String)| match &porque {
        Some(porque) => (0.0, porque.clone()),
        // O que um servidor que atende um por vez responde depressa a um de cada vez não prova nada.
        None if um_por_vez && fracao > 0.0 => {
            (0.0, format!("{viu}; sem pontos, porque atende um cliente por vez"))
        }
        None => (fracao, viu),
    };
    let valores = [1.5, 0.5, 1.0];
    tentou
        .into_iter()
        .zip(valores)
        .zip([calado, metade, todos].map(julgar))
        .map(|((tentou, de), (fracao, viu))| conferencia(tentou, de, fracao, viu))
        .collect()
}

/// O que houve com quem pediu atrás de outro. Bytes que não respondem ao pedido não são resposta, salvo se
/// este servidor nem a um cliente sozinho responde de outro modo.
fn julgar_atras(atras: &Atras, conversa: &Conversa) -> (f64, String) {
    let sozinho = conversa.consultas.first();
    let estranho = sozinho.is_some_and(|troca| troca.resposta.is_some() && !troca.se_entende());
    match atras {
        Atras::Respondido(troca) if troca.se_entende() || estranho => {
            (1.0, format!("respondido em {}", formatar(troca.demora)))
        }
        Atras::Respondido(troca) => (0.0, pediu_e_veio(troca)),
        Atras::SemNinguemNaFrente => {
            (0.0, "o servidor fechou a conexão de quem ainda não tinha pedido nada".into())
        }
        Atras::Bloqueado => {
            let sem = sozinho.is_some_and(|troca| troca.resposta.is_none());
            let porque = if sem {
                "nem um cliente sozinho a tem (veja Protocolo)"
            } else {
                "um cliente bloqueia os outros"
            };
            (0.0, format!("nenhuma resposta em {}: {porque}", formatar(PRAZO)))
        }
    }
}

/// Quantos continuavam conectados depois de atendidos. Uma conexão que o servidor fechou não é simultânea a
/// nenhuma outra.
fn julgar_juntos(vistas: &Evidencias, convidados: usize) -> (f64, String) {
    let atendidos = vistas.rodadas.iter().map(|rodada| rodada.atendidos).min().unwrap_or(0);
    let depois_de = &vistas.conversa.fecha_depois_de;
    if depois_de.contains(&"CONSULTAR") && atendidos < 2 {
        let fecha = "o servidor fecha a conexão depois de responder, e o §5 precisa dela aberta";
        return (0.0, format!("nenhum continuou conectado: {fecha}"));
    }
    // O primeiro qualquer servidor atende.
    let fracao = atendidos.saturating_sub(1) as f64 / (convidados - 1) as f64;
    (fracao, format!("{} na pior rodada", contar(atendidos, "atendido", "atendidos")))
}

/// Exclusão Mútua, 4,0: "ausência de inconsistência no estoque". Vender a mais, dar o mesmo número a duas
/// compras ou descer abaixo de zero custa tudo, ainda que uma vez só; contradizer-se de outro modo, pelo
/// menos a metade; deixar compras sem resposta, a parte delas.
pub fn exclusao_mutua(vistas: &Evidencias, compradores: usize) -> Vec<Conferencia> {
    let rodadas = &vistas.rodadas;
    let compradores = rodadas.iter().map(|r| r.convidados).min().unwrap_or(compradores);
    let tentou = format!(
        "{} de {compradores} compradores, soltos juntos por uma barreira; a auditoria confere cada resposta",
        contar(rodadas.len(), "rodada", "rodadas")
    );
    let (fracao, mut viu) = match outra_lingua(vistas) {
        Some(porque) => (0.0, format!("não se prova: {porque}")),
        None => julgar_disputas(vistas),
    };
    if !vistas.conversa.numeros.is_empty() {
        viu.push_str(
            "; os números são sempre trocados do mesmo modo, e isso o Protocolo já cobrou",
        );
    }
    if vistas.extravio {
        viu.push_str("; as respostas foram para outros clientes (veja Protocolo)");
    }
    if fracao > 0.0 {
        viu.push_str("; que há um Lock, só o código mostra");
        viu.push_str(&lentidao(&vistas.conversa));
    }
    vec![conferencia(tentou, 4.0, fracao, viu)]
}

/// O que se conclui do estoque, e por quê.
pub fn estoque(vistas: &Evidencias) -> (Estoque, String) {
    if let Some(porque) = outra_lingua(vistas) {
        return (Estoque::SemVeredito, porque);
    }
    let (fracao, viu) = julgar_disputas(vistas);
    let contradiz = vistas.rodadas.iter().any(|rodada| !rodada.contradicoes.is_empty());
    match fracao {
        _ if contradiz => (Estoque::Inconsistente, viu),
        0.0 => (Estoque::SemVeredito, viu),
        _ => (Estoque::Consistente, viu),
    }
}

/// O que vale dizer e não vale nem custa pontos.
pub fn observacoes(vistas: &Evidencias, compradores: usize, rodadas: usize) -> Vec<String> {
    let mut observacoes = Vec::new();
    let depois_de = &vistas.conversa.fecha_depois_de;
    // Se fecha já depois de CONSULTAR, disse-o o item que perdeu pontos por isso.
    if !depois_de.is_empty() && !depois_de.contains(&"CONSULTAR") {
        let quais = depois_de.join(" e a ");
        observacoes.push(format!(
            "o servidor fecha a conexão depois de responder a {quais}; o §5 a mantém aberta, para repetir os \
             comandos e ouvir o AVISO. As provas conectaram de novo a cada vez"
        ));
    }
    let menos = vistas.rodadas.iter().any(|rodada| rodada.convidados < compradores);
    let disputadas = vistas.rodadas.iter().filter(|rodada| rodada.compradores > 1).count();
    if menos || (disputadas > 0 && disputadas == vistas.rodadas.len() && disputadas < rodadas) {
        let houve = contar(vistas.rodadas.len(), "rodada", "rodadas");
        let convidados = vistas.rodadas.iter().map(|r| r.convidados).min().unwrap_or(compradores);
        observacoes.push(format!(
            "o servidor é lento, e no tempo das disputas couberam {houve} de {convidados} compradores"
        ));
    }
    observacoes
}

/// Lento se diz que é, e não custa nada: o §10 não fala de pressa.
fn lentidao(conversa: &Conversa) -> String {
    let demora = demora_tipica(&conversa.compras).filter(|demora| *demora >= LENTO);
    demora
        .map(|demora| format!("; é lento: cada compra levou {}", formatar(demora)))
        .unwrap_or_default()
}

/// Que fração valem as disputas. Uma contradição é certa ainda que o resto da rodada não se entenda.
fn julgar_disputas(vistas: &Evidencias) -> (f64, String) {
    let rodadas = &vistas.rodadas;
    let todas = rodadas.len();
    let soma = |conta: fn(&Rodada) -> u64| rodadas.iter().map(conta).sum::<u64>();
    let erradas = rodadas.iter().filter(|r| !r.contradicoes.is_empty()).count();
    if rodadas.iter().any(|rodada| Defeito::GRAVES.iter().any(|grave| grave.houve(rodada))) {
        return (0.0, dizer_os_graves(rodadas));
    }
    if erradas > 0 {
        let fracao = 0.5 * (todas - erradas) as f64 / todas as f64;
        let quais = regras_violadas(rodadas);
        let em = em_rodadas(erradas, todas);
        return (fracao, format!("houve contradição {em}, sem vender a mais: {quais}"));
    }
    if todas == 0 || rodadas.iter().any(|rodada| rodada.compradores < 2) {
        return (0.0, "não se prova: nunca houve dois clientes atendidos ao mesmo tempo".into());
    }
    let (vendas, recusas) = (soma(|r| r.vendas), soma(|r| r.recusas));
    let (caladas, estranhas) = (soma(|r| r.sem_resposta), soma(|r| r.estranhas));
    if vendas == 0 && estranhas > 0 {
        return (0.0, format!("não se prova: nenhuma venda se entende{}", a_estranha(rodadas)));
    }
    if vendas + recusas == 0 {
        return (0.0, "não se prova: nenhuma compra teve resposta".into());
    }
    if vendas == 0 {
        return (0.0, format!("não se prova: {}", nada_vendido(vistas)));
    }
    let feitas = contar(vendas as usize, "venda", "vendas");
    let resumo = format!("{feitas} em {}", contar(todas, "rodada", "rodadas"));
    if caladas + estranhas > 0 {
        let entendidas = (vendas + recusas) as f64;
        let fracao = entendidas / (entendidas + (caladas + estranhas) as f64);
        let falta = o_que_faltou(caladas, estranhas, vistas);
        return (fracao, format!("{resumo} sem contradição, mas {falta}"));
    }
    (1.0, format!("{resumo}, nenhuma contradição"))
}

/// Por que nenhuma compra se fez, se todas foram recusadas.
fn nada_vendido(vistas: &Evidencias) -> String {
    match vistas.conversa.inicial {
        Some(1..) => "todas as compras foram recusadas, com o que vender".into(),
        _ => "nada havia a vender; feche o servidor, abra-o de novo e repita".into(),
    }
}

/// As compras que não se podem julgar.
fn o_que_faltou(caladas: u64, estranhas: u64, vistas: &Evidencias) -> String {
    let rodadas = &vistas.rodadas;
    let recusada = vistas.conversa.recusas.first();
    let porque = match recusada.is_some_and(|troca| troca.resposta.is_none()) {
        true => " (nem um cliente sozinho a tem, quando esgotou: veja Protocolo)",
        false => ": um Lock que ninguém soltou?",
    };
    let sem = |quantas: u64| {
        contar(quantas as usize, "compra ficou sem resposta", "compras ficaram sem resposta")
    };
    let outras = contar(
        estranhas as usize,
        "compra teve uma resposta que não se entende",
        "compras tiveram respostas que não se entendem",
    );
    match (caladas, estranhas) {
        (_, 0) => format!("{}{porque}", sem(caladas)),
        (0, _) => format!("{outras}{}", a_estranha(rodadas)),
        _ => format!("{} e {outras}{}", sem(caladas), a_estranha(rodadas)),
    }
}

/// A primeira resposta a COMPRAR que não se entendeu, ao lado da que se esperava.
fn a_estranha(rodadas: &[Rodada]) -> String {
    let primeira = rodadas.iter().find_map(|rodada| rodada.primeira_estranha.as_deref());
    primeira
        .map(|texto| format!(": esperava '{COMPRA}', e veio '{}'", curto(texto)))
        .unwrap_or_default()
}

/// Um defeito de estoque que custa o item inteiro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defeito {
    /// Mais vendas do que unidades.
    VendeuAMais,
    /// Um número abaixo de zero.
    Negativo,
    /// O mesmo número a duas compras.
    Repetido,
}

impl Defeito {
    /// Do mais grave ao menos.
    const GRAVES: [Self; 3] = [Self::VendeuAMais, Self::Negativo, Self::Repetido];

    fn houve(self, rodada: &Rodada) -> bool {
        let viola = |regra| rodada.contradicoes.iter().any(|violacao| violacao.regra == regra);
        match self {
            // Sem contradição, alguém pode ter reposto o estoque.
            Self::VendeuAMais => {
                let demais = rodada.havia.is_some_and(|havia| rodada.vendas > havia);
                demais && !rodada.contradicoes.is_empty()
            }
            Self::Negativo => viola(Regra::EstoqueNegativo),
            Self::Repetido => viola(Regra::VendaRepetida),
        }
    }
}

/// Os defeitos graves que se viram, cada um pelo nome dele; dos que são eco de outro na mesma rodada, só o
/// outro.
fn dizer_os_graves(rodadas: &[Rodada]) -> String {
    let primeiro = |rodada: &Rodada| Defeito::GRAVES.into_iter().find(|d| d.houve(rodada));
    let vendas = |rodadas: &[&Rodada]| rodadas.iter().map(|r| r.vendas).max().unwrap_or(0);
    let mut ditos = Vec::new();
    let mut conselho = "o Lock falta, ou não cobre juntos o teste e o desconto";
    for defeito in Defeito::GRAVES {
        let com: Vec<&Rodada> = rodadas.iter().filter(|r| primeiro(r) == Some(defeito)).collect();
        if com.is_empty() {
            continue;
        }
        let em = em_rodadas(com.len(), rodadas.len());
        let maximo = contar(vendas(&com) as usize, "venda", "vendas");
        ditos.push(match defeito {
            Defeito::VendeuAMais => format!("vendeu a mais {em} (na pior, {maximo})"),
            Defeito::Negativo => {
                format!("deixou o estoque negativo {em}, sem vender a mais ({maximo})")
            }
            Defeito::Repetido => {
                if ditos.is_empty() {
                    conselho =
                        "a resposta lê o estoque fora do Lock, ou o desconto de uma se perdeu";
                }
                format!("disse o mesmo número a duas compras {em}, sem vender a mais ({maximo})")
            }
        });
    }
    format!("{}: {conselho}", ditos.join("; "))
}

/// `em 2 de 20 rodadas`; se só houve uma, `na única rodada`.
fn em_rodadas(quantas: usize, todas: usize) -> String {
    match todas {
        1 => "na única rodada".into(),
        _ => format!("em {quantas} de {todas} rodadas"),
    }
}

/// O que se viu de errado, sem repetir, na ordem em que apareceu.
fn regras_violadas(rodadas: &[Rodada]) -> String {
    let mut nomes: Vec<&str> = Vec::new();
    for violacao in rodadas.iter().flat_map(|rodada| &rodada.contradicoes) {
        let nome = match violacao.regra {
            Regra::EstoqueSubiu => "o estoque subiu",
            Regra::AcimaDoInicial { .. } => "disse haver mais do que no começo",
            Regra::UnidadeSumiu { .. } => "uma unidade sumiu sem comprador",
            Regra::RecusaIndevida { .. } => "recusou com o que vender",
            _ => continue,
        };
        if !nomes.contains(&nome) {
            nomes.push(nome);
        }
    }
    nomes.join("; ")
}

/// Protocolo, 2,0: "comandos COMPRAR/CONSULTAR funcionam conforme especificado" (§3.2).
pub fn protocolo(vistas: &Evidencias, estoque: u64) -> Vec<Conferencia> {
    let Conversa { inicial, consultas, compras, recusas, contradicao, .. } = &vistas.conversa;
    let e_estoque = |m: &Mensagem| matches!(m, Mensagem::Estoque(_));
    let e_compra = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let e_recusa = |m: &Mensagem| matches!(m, Mensagem::Esgotado);
    let forma =
        |tentou: &str, trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool| {
            let (fracao, viu) = texto(trocas, esperada, certa);
            conferencia(tentou, 0.6, fracao, viu)
        };
    if vistas.extravio {
        return extraviadas();
    }
    let mut compra = forma("COMPRAR com estoque", compras, COMPRA, &e_compra);
    if let Some(contradicao) = contradicao {
        compra = conferencia(
            compra.tentou,
            compra.de,
            0.0,
            format!("os números não batem: {contradicao}"),
        );
    }
    let mut recusa = forma("COMPRAR sem estoque", recusas, "ERRO: Produto esgotado", &e_recusa);
    if vistas.conversa.sobras {
        let sobra = "mandou mais respostas do que pedidos: quem pede não sabe qual é a sua";
        compra = conferencia(compra.tentou, compra.de, 0.0, sobra);
        // A que sobrou pode ter vindo no lugar da recusa; se a recusa se viu nas disputas, não se cobra de novo.
        if recusas.iter().any(Troca::vendeu) && vistas.rodadas.iter().any(|r| r.recusas > 0) {
            let viu = "veio a resposta de uma venda, repetida; nas disputas, a recusa se viu";
            recusa = conferencia(recusa.tentou, recusa.de, 1.0, viu);
        }
    }
    let leu = inicial.map_or("não se entendeu".into(), |inicial| format!("leu {inicial}"));
    let certo = *inicial == Some(i128::from(estoque));
    vec![
        conferencia(
            format!("o estoque começa em {estoque}"),
            0.2,
            if certo { 1.0 } else { 0.0 },
            leu,
        ),
        forma("CONSULTAR", consultas, "Estoque atual: 10", &e_estoque),
        compra,
        recusa,
    ]
}

/// Um cliente sozinho recebe as respostas; de dois, um recebe as do outro. Quem pede não é respondido, e não
/// há comando que funcione.
fn extraviadas() -> Vec<Conferencia> {
    let tentou = "um cliente conectado antes de outro pede CONSULTAR";
    let viu = "a resposta foi para o outro, que nada tinha pedido";
    vec![conferencia(tentou, 2.0, 0.0, viu)]
}

/// Que fração vale o texto destas respostas: letra por letra, tudo; com o mesmo sentido, metade.
fn texto(trocas: &[Troca], esperada: &str, certa: &dyn Fn(&Mensagem) -> bool) -> (f64, String) {
    let Some(primeira) = trocas.first() else { return (0.0, "não se chegou a ver".into()) };
    if let Some(muda) = trocas.iter().find(|troca| troca.resposta.is_none()) {
        let viu = if muda.demora < PRAZO {
            "a conexão fechou antes da resposta".into()
        } else {
            format!("ficou sem resposta em {}", formatar(muda.demora))
        };
        return (0.0, viu);
    }
    let estranha = trocas.iter().find(|troca| !troca.mensagem().is_some_and(|m| certa(&m)));
    if let Some(estranha) = estranha {
        return (0.0, format!("esperava '{esperada}', e veio '{}'", mostrar(estranha)));
    }
    match trocas.iter().find(|troca| !troca.ao_pe_da_letra()) {
        None => (1.0, format!("'{}', letra por letra", mostrar(primeira))),
        Some(parecida) => {
            (0.5, format!("o sentido é o de '{esperada}', mas veio '{}'", mostrar(parecida)))
        }
    }
}

fn mostrar(troca: &Troca) -> String {
    curto(troca.resposta.as_deref().unwrap_or_default())
}

/// Robustez, 1,0: "tratamento de erros (ex: cliente desconecta abruptamente)". Um servidor que cai não
/// vende mais nada: custa o item inteiro.
pub fn robustez(vistas: &Evidencias) -> Vec<Conferencia> {
    let provocacoes = &vistas.robustez;
    let outra_lingua = outra_lingua(vistas);
    let caiu = provocacoes.iter().any(|(_, deixou)| deixou.is_some());
    let conferir = |(provocacao, deixou): &(Provocacao, Option<String>)| {
        let (tentou, de) = match provocacao {
            Provocacao::Resets => {
                ("20 clientes quebram a conexão (reset), com e sem comando no meio", 0.5)
            }
            Provocacao::Metades => ("20 clientes vão embora no meio de um comando", 0.25),
            Provocacao::Lixo => ("20 clientes mandam bytes que não são comando nem texto", 0.25),
        };
        match deixou {
            _ if outra_lingua.is_some() => {
                conferencia(tentou, de, 0.0, outra_lingua.clone().unwrap_or_default())
            }
            None if caiu => conferencia(
                tentou,
                de,
                0.0,
                "os outros seguiram atendidos; sem pontos, porque o servidor não sobrevive a outra prova",
            ),
            None => conferencia(tentou, de, 1.0, "os outros seguiram atendidos"),
            Some(porque) => conferencia(tentou, de, 0.0, porque.clone()),
        }
    };
    provocacoes.iter().map(conferir).collect()
}

/// Extra, §9.1: hora, IP e porta do cliente no console, para cada comando.
pub fn log(vistas: &Evidencias) -> Extra {
    let Conversa { console, portas, consultas, compras, recusas, .. } = &vistas.conversa;
    let comandos = consultas.len() + compras.len() + recusas.len();
    let (estado, viu) = match console {
        Some(console) => julgar_log(console, portas, comandos),
        None => (Estado::NaoAvaliado, "o console só se vê com --iniciar".into()),
    };
    let tentou = format!("{} de um cliente, no console.", contar(comandos, "comando", "comandos"));
    Extra { nome: "Log Detalhado", estado, tentou, viu }
}

fn julgar_log(console: &str, portas: &[u16], comandos: usize) -> (Estado, String) {
    let dele: Vec<&str> = linhas_das_portas(console, portas).collect();
    let com_ip = dele.iter().filter(|linha| tem_ip(linha)).count();
    let completas = dele.iter().filter(|linha| tem_ip(linha) && tem_hora(linha)).count();
    let exemplo = dele.last().map(|linha| format!(": '{}'", curto(linha))).unwrap_or_default();
    if comandos > 0 && completas >= comandos {
        (Estado::Cumprido, format!("uma linha por comando, com hora, IP e porta{exemplo}"))
    } else if comandos > 0 && com_ip >= comandos {
        (Estado::EmParte, format!("uma linha por comando, com IP e porta, mas sem a hora{exemplo}"))
    } else {
        let linhas = contar(com_ip, "linha", "linhas");
        (
            Estado::NaoCumprido,
            format!(
                "{linhas} com o IP e a porta do cliente, para {}{exemplo}",
                contar(comandos, "comando", "comandos")
            ),
        )
    }
}

fn tem_ip(linha: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].iter().any(|ip| linha.contains(ip))
}

/// `14:05:09` em algum lugar, ou o tempo desde 1970, em segundos ou em uma fração deles. O que o Python
/// chama de número da thread tem 15 algarismos, e não é a hora.
fn tem_hora(linha: &str) -> bool {
    let digito = |b: u8| b.is_ascii_digit();
    let relogio = |j: &[u8]| {
        digito(j[0])
            && j[1] == b':'
            && digito(j[2])
            && digito(j[3])
            && j[4] == b':'
            && digito(j[5])
            && digito(j[6])
    };
    let epoca = |numero: &str| matches!(numero.len(), 10 | 13 | 16 | 19) && numero.starts_with('1');
    linha.as_bytes().windows(7).any(relogio)
        || linha.split(|letra: char| !letra.is_ascii_digit()).any(epoca)
}

/// Extra, §9.2: o AVISO a todos os conectados, no momento do esgotamento.
pub fn broadcast(vistas: &Evidencias) -> Extra {
    let Ouvintes { conectados, ouviram, desordem, outras_palavras, espalhamento, .. } =
        &vistas.aviso;
    let palavras = outras_palavras.as_deref().map(curto);
    let palavras = palavras.map(|p| format!(", em outras palavras: '{p}'")).unwrap_or_default();
    let quantos = format!(
        "chegou a {ouviram} de {conectados}, {} do primeiro ao último{palavras}",
        formatar(*espalhamento)
    );
    let primeira = vistas.rodadas.first();
    let esgotado_antes = primeira.is_some_and(|r| r.vendas == 0 && r.recusas > 0);
    let todos = ouviram == conectados || vistas.aviso.menos_o_comprador;
    let fecha = vistas.conversa.fecha_depois_de.contains(&"CONSULTAR");
    let (estado, viu) = match desordem {
        _ if esgotado_antes => {
            (Estado::NaoAvaliado, "o estoque já tinha acabado antes da disputa".to_owned())
        }
        // Chega a quem por acaso acabava de conectar.
        _ if fecha => (Estado::NaoCumprido, "não fica ninguém conectado para ouvi-lo".to_owned()),
        _ if *ouviram == 0 => {
            let veio = vistas.aviso.nao_entendido.as_deref().map(curto);
            let veio = veio.map(|v| format!("; sem ninguém pedir, veio '{v}', que não se entende"));
            (Estado::NaoCumprido, format!("não chegou a ninguém{}", veio.unwrap_or_default()))
        }
        _ if vistas.aviso.so_o_comprador => {
            (Estado::NaoCumprido, "só chegou a quem comprou a última unidade".to_owned())
        }
        Some(desordem) => (Estado::EmParte, format!("{quantos}; mas {desordem}")),
        None if todos => (Estado::Cumprido, quantos),
        None => (Estado::EmParte, quantos),
    };
    let tentou = "Todos conectados na primeira disputa, à escuta do AVISO.".to_owned();
    Extra { nome: "Broadcast de Esgotamento", estado, tentou, viu }
}

/// O texto de um servidor desconhecido, curto e sem sequências de controle.
fn curto(texto: &str) -> String {
    visivel(&texto.trim().chars().take(100).collect::<String>())
}

#[cfg(test)]
mod testes {
    use super::*;
    use crate::auditoria::regra::Regra;
    use crate::auditoria::violacao::{Leitura, Origem, Violacao};
    use protocolo::Comando;
    use std::collections::BTreeMap;
    use std::time::Duration;

    const DEMORA: Duration = Duration::from_millis(1);

    fn soma(conferencias: &[Conferencia]) -> (f64, f64) {
        let pontos = conferencias.iter().map(|c| c.pontos).sum();
        (pontos, conferencias.iter().map(|c| c.de).sum())
    }

    #[track_caller]
    fn valem(conferencias: &[Conferencia], esperados: &[f64]) {
        let pontos: Vec<f64> = conferencias.iter().map(|c| c.pontos).collect();
        let iguais = pontos.iter().zip(esperados).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(iguais && pontos.len() == esperados.len(), "{conferencias:#?}");
    }

    fn troca(comando: Comando, resposta: &str) -> Troca {
        Troca { comando, resposta: Some(resposta.into()), demora: DEMORA }
    }

    fn violacao(regra: Regra) -> Violacao {
        let leitura = Leitura {
            usuario: 1,
            inicio: Duration::ZERO,
            fim: DEMORA,
            origem: Origem::Venda,
            valor: 3,
        };
        Violacao { regra, quando: DEMORA, provas: vec![leitura, leitura] }
    }

    fn rodada(regras: &[Regra]) -> Rodada {
        let contradicoes = regras.iter().copied().map(violacao).collect();
        Rodada {
            convidados: 50,
            atendidos: 50,
            compradores: 50,
            havia: Some(10),
            vendas: 10,
            recusas: 50,
            contradicoes,
            ..Rodada::default()
        }
    }

    /// O que se vê de um servidor em que nada está errado.
    fn certas() -> Evidencias {
        let consulta = |n| troca(Comando::Consultar, &format!("Estoque atual: {n}"));
        let compra =
            |n| troca(Comando::Comprar, &format!("Compra realizada. Estoque restante: {n}"));
        let conversa = Conversa {
            inicial: Some(10),
            consultas: vec![consulta(10), consulta(0)],
            compras: (0..10).rev().map(compra).collect(),
            recusas: vec![troca(Comando::Comprar, "ERRO: Produto esgotado")],
            contradicao: None,
            recusa: None,
            sobras: false,
            numeros: BTreeMap::new(),
            fecha_depois_de: Vec::new(),
            portas: vec![54321],
            console: Some("[14:05:09] 127.0.0.1:54321 comando\n".repeat(13)),
        };
        let respondido = Atras::Respondido(consulta(10));
        Evidencias {
            conversa,
            atras_do_calado: respondido.clone(),
            atras_da_metade: respondido,
            extravio: false,
            rodadas: vec![rodada(&[]); 4],
            aviso: Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() },
            robustez: provocacoes([true; 3]),
            ..Evidencias::default()
        }
    }

    fn provocacoes(passaram: [bool; 3]) -> Vec<(Provocacao, Option<String>)> {
        let provocacoes = [Provocacao::Resets, Provocacao::Metades, Provocacao::Lixo];
        let deixou = |passou: bool| (!passou).then(|| "caiu".into());
        provocacoes.into_iter().zip(passaram.map(deixou)).collect()
    }

    #[test]
    fn os_pesos_sao_os_do_enunciado_certo_ou_errado() {
        let certas = certas();
        let erradas = Evidencias { robustez: provocacoes([false; 3]), ..Evidencias::default() };
        for (vistas, fracao) in [(certas, 1.0), (erradas, 0.0)] {
            assert_eq!(soma(&multithreading(&vistas, 50)), (3.0 * fracao, 3.0));
            assert_eq!(soma(&exclusao_mutua(&vistas, 50)), (4.0 * fracao, 4.0));
            assert_eq!(soma(&robustez(&vistas)), (fracao, 1.0));
            let (pontos, de) = soma(&protocolo(&vistas, 10));
            assert!((pontos - 2.0 * fracao).abs() < 1e-9 && (de - 2.0).abs() < 1e-9);
        }
    }

    #[test]
    fn quem_bloqueia_atras_do_calado_perde_a_metade_e_atras_da_metade_um_sexto() {
        let certas = certas();
        let sem_calado = Evidencias { atras_do_calado: Atras::Bloqueado, ..certas };
        valem(&multithreading(&sem_calado, 50), &[0.0, 0.5, 1.0]);
        let sem_metade = Evidencias { atras_da_metade: Atras::Bloqueado, ..self::certas() };
        valem(&multithreading(&sem_metade, 50), &[1.5, 0.0, 1.0]);
        assert!(multithreading(&sem_metade, 50)[1].viu.contains("nenhuma resposta em 3,00 s"));
    }

    #[test]
    fn os_atendidos_valem_em_proporcao_e_vale_a_pior_rodada() {
        for (atendidos, pontos) in
            [(50, 1.0), (26, 25.0 / 49.0), (2, 1.0 / 49.0), (1, 0.0), (0, 0.0)]
        {
            let mut vistas = certas();
            vistas.rodadas[2].atendidos = atendidos;
            valem(&multithreading(&vistas, 50), &[1.5, 0.5, pontos]);
        }
    }

    /// O que se conclui destas disputas.
    fn exclusao(rodadas: Vec<Rodada>) -> Conferencia {
        exclusao_mutua(&Evidencias { rodadas, ..certas() }, 50).remove(0)
    }

    #[track_caller]
    fn conclui(rodadas: Vec<Rodada>, pontos: f64, frase: &str) {
        let conferencia = exclusao(rodadas);
        valem(std::slice::from_ref(&conferencia), &[pontos]);
        assert!(conferencia.viu.contains(frase), "{}", conferencia.viu);
    }

    #[test]
    fn cada_defeito_do_estoque_tem_o_seu_nome_e_o_seu_preco() {
        let limpa = || rodada(&[]);
        let sumiu = Regra::UnidadeSumiu { restaria: 3, quantas: 1 };
        let recusa = Regra::RecusaIndevida { restaria: 3, quantas: 1 };
        let casos: [(u64, &[Regra], f64, &str); 8] = [
            (10, &[], 4.0, "40 vendas em 4 rodadas, nenhuma contradição"),
            (
                10,
                &[Regra::VendaRepetida],
                0.0,
                "mesmo número a duas compras em 1 de 4 rodadas, sem vender a mais (10 vendas): a resposta lê",
            ),
            (
                11,
                &[Regra::VendaRepetida],
                0.0,
                "vendeu a mais em 1 de 4 rodadas (na pior, 11 vendas): o Lock falta",
            ),
            (
                10,
                &[Regra::EstoqueNegativo],
                0.0,
                "deixou o estoque negativo em 1 de 4 rodadas, sem vender a mais (10 vendas)",
            ),
            (10, &[sumiu, Regra::VendaRepetida], 0.0, "mesmo número a duas compras"),
            (
                10,
                &[Regra::EstoqueSubiu],
                1.5,
                "em 1 de 4 rodadas, sem vender a mais: o estoque subiu",
            ),
            (10, &[sumiu], 1.5, "sem vender a mais: uma unidade sumiu sem comprador"),
            (9, &[recusa], 1.5, "sem vender a mais: recusou com o que vender"),
        ];
        for (vendas, regras, pontos, frase) in casos {
            let errada = Rodada { vendas, ..rodada(regras) };
            conclui(vec![limpa(), limpa(), errada, limpa()], pontos, frase);
        }
        conclui(vec![rodada(&[sumiu])], 0.0, "na única rodada");
        let negativa = rodada(&[Regra::EstoqueNegativo]);
        let demais = Rodada { vendas: 12, ..rodada(&[Regra::VendaRepetida]) };
        let frase =
            "vendeu a mais em 2 de 3 rodadas (na pior, 12 vendas); deixou o estoque negativo em 1";
        conclui(vec![demais.clone(), negativa, demais], 0.0, frase);
    }

    #[test]
    fn vender_mais_do_que_se_leu_sem_contradizer_se_nao_e_defeito() {
        // Um servidor no ar pode ter sido abastecido por outro.
        conclui(vec![Rodada { vendas: 12, ..rodada(&[]) }], 4.0, "12 vendas em 1 rodada");
    }

    #[test]
    fn quem_tem_os_pontos_ouve_que_o_lock_so_o_codigo_mostra() {
        let ressalva = "que há um Lock, só o código mostra";
        conclui(vec![rodada(&[])], 4.0, ressalva);
        let sumiu = Regra::UnidadeSumiu { restaria: 3, quantas: 1 };
        conclui(vec![rodada(&[]), rodada(&[sumiu])], 1.0, ressalva);
        let repetida = exclusao(vec![rodada(&[Regra::VendaRepetida])]);
        assert!(!repetida.viu.contains(ressalva), "{}", repetida.viu);
    }

    #[test]
    fn lento_se_diz_que_e_e_nao_custa_nada() {
        let mut vistas = certas();
        for compra in &mut vistas.conversa.compras {
            compra.demora = Duration::from_millis(100);
        }
        let conferencias = exclusao_mutua(&vistas, 50);
        valem(&conferencias, &[4.0]);
        assert!(conferencias[0].viu.contains("cada compra levou 100 ms"), "{conferencias:?}");
        assert!(!exclusao(vec![rodada(&[])]).viu.contains("levou"));
    }

    #[test]
    fn o_que_nao_foi_disputado_nao_prova_a_exclusao() {
        let sozinho = Rodada { atendidos: 1, compradores: 1, ..rodada(&[]) };
        let mudos = Rodada { vendas: 0, recusas: 0, sem_resposta: 50, ..rodada(&[]) };
        let primeira_estranha = Some("Erro interno".into());
        let outra_lingua =
            Rodada { estranhas: 50, sem_resposta: 0, primeira_estranha, ..mudos.clone() };
        conclui(vec![sozinho], 0.0, "dois clientes atendidos ao mesmo tempo");
        conclui(vec![mudos], 0.0, "nenhuma compra teve resposta");
        let frase = format!("esperava '{COMPRA}', e veio 'Erro interno'");
        conclui(vec![outra_lingua], 0.0, &frase);
        let esgotado = Rodada { vendas: 0, ..rodada(&[]) };
        let recusas = "todas as compras foram recusadas, com o que vender";
        conclui(vec![esgotado.clone()], 0.0, recusas);
        let mut vistas = Evidencias { rodadas: vec![esgotado], ..certas() };
        vistas.conversa.inicial = Some(0);
        assert!(exclusao_mutua(&vistas, 50)[0].viu.contains("nada havia a vender"));
    }

    #[test]
    fn o_silencio_custa_a_parte_dele_e_nao_apaga_o_que_se_viu() {
        let caladas = Rodada { vendas: 10, recusas: 20, sem_resposta: 10, ..rodada(&[]) };
        conclui(vec![caladas.clone()], 3.0, "10 compras ficaram sem resposta");
        let uma = Rodada { recusas: 29, sem_resposta: 1, ..caladas.clone() };
        conclui(vec![uma], 3.9, "mas 1 compra ficou sem resposta");
        let primeira_estranha = Some("Hein?".into());
        let estranhas = Rodada { sem_resposta: 0, estranhas: 10, primeira_estranha, ..caladas };
        conclui(vec![estranhas], 3.0, "não se entendem: esperava");
        // Vendeu a mais e morreu: quase ninguém teve resposta, mas a contradição está lá.
        let morreu =
            Rodada { vendas: 12, recusas: 0, sem_resposta: 48, ..rodada(&[Regra::VendaRepetida]) };
        conclui(vec![rodada(&[]), morreu], 0.0, "vendeu a mais");
    }

    #[test]
    fn o_que_nao_fala_o_protocolo_nao_tem_pontos_e_a_razao_e_o_que_disse() {
        let mut vistas = certas();
        let disse = troca(Comando::Consultar, "HTTP/1.0 400 Bad\u{7} request");
        vistas.conversa.consultas = vec![disse.clone()];
        vistas.conversa.compras = vec![Troca { comando: Comando::Comprar, ..disse.clone() }];
        vistas.conversa.recusas = Vec::new();
        vistas.atras_do_calado = Atras::Respondido(disse.clone());
        vistas.atras_da_metade = Atras::Respondido(disse);
        for conferencias in
            [multithreading(&vistas, 50), exclusao_mutua(&vistas, 50), robustez(&vistas)]
        {
            for conferencia in conferencias {
                let frase = r"a CONSULTAR respondeu 'HTTP/1.0 400 Bad\u{7} request'";
                assert!(conferencia.viu.contains(frase), "{}", conferencia.viu);
                assert!(conferencia.pontos.abs() < 1e-9);
            }
        }
        assert_eq!(estoque(&vistas).0, Estoque::SemVeredito);
    }

    #[test]
    fn bytes_que_nao_respondem_nao_sao_atender_dois_ao_mesmo_tempo() {
        let mut vistas = certas();
        vistas.atras_do_calado = Atras::Respondido(troca(Comando::Consultar, "espere a vez"));
        valem(&multithreading(&vistas, 50), &[0.0, 0.5, 1.0]);
        vistas.atras_do_calado = Atras::SemNinguemNaFrente;
        valem(&multithreading(&vistas, 50), &[0.0, 0.5, 1.0]);
        // Um por vez: o que responde ao que já fechou, ou a um só, não vale nada.
        for rodada in &mut vistas.rodadas {
            rodada.atendidos = 1;
        }
        valem(&multithreading(&vistas, 50), &[0.0, 0.0, 0.0]);
    }

    #[test]
    fn fechar_depois_de_responder_custa_uma_vez_os_conectados_ao_mesmo_tempo() {
        let mut vistas = certas();
        vistas.conversa.fecha_depois_de = vec!["CONSULTAR", "COMPRAR", "COMPRAR sem estoque"];
        for rodada in &mut vistas.rodadas {
            rodada.atendidos = 0;
        }
        valem(&multithreading(&vistas, 50), &[1.5, 0.5, 0.0]);
        assert!(multithreading(&vistas, 50)[2].viu.contains("o §5 precisa dela aberta"));
        valem(&exclusao_mutua(&vistas, 50), &[4.0]);
        valem(&protocolo(&vistas, 10), &[0.2, 0.6, 0.6, 0.6]);
        assert_eq!(observacoes(&vistas, 50, 4), [""; 0]);
        let mut vistas = certas();
        vistas.conversa.fecha_depois_de = vec!["COMPRAR sem estoque"];
        valem(&multithreading(&vistas, 50), &[1.5, 0.5, 1.0]);
        let [dita] = &observacoes(&vistas, 50, 4)[..] else { panic!("devia ser uma") };
        assert!(dita.contains("depois de responder a COMPRAR sem estoque"), "{dita}");
    }

    #[test]
    fn o_veredito_do_estoque_e_um_e_o_do_aviso_e_outro() {
        let vistas = Evidencias { aviso: Ouvintes::default(), ..certas() };
        assert_eq!(estoque(&vistas).0, Estoque::Consistente);
        assert_eq!(broadcast(&vistas).estado, Estado::NaoCumprido);
        let rodadas = vec![rodada(&[Regra::VendaRepetida])];
        assert_eq!(estoque(&Evidencias { rodadas, ..certas() }).0, Estoque::Inconsistente);
        let rodadas = Vec::new();
        assert_eq!(estoque(&Evidencias { rodadas, ..certas() }).0, Estoque::SemVeredito);
    }

    #[test]
    fn o_texto_vale_letra_por_letra_ou_metade_ou_nada() {
        let casos = [
            (Some("Estoque atual: 10"), 0.6, "'Estoque atual: 10', letra por letra"),
            (Some("estoque atual: 10"), 0.3, "o sentido é o de 'Estoque atual: 10'"),
            (Some("Tenho 10"), 0.0, "esperava 'Estoque atual: 10', e veio 'Tenho 10'"),
            (Some("Compra realizada. Estoque restante: 9"), 0.0, "esperava"),
            (None, 0.0, "a conexão fechou antes da resposta"),
        ];
        for (resposta, pontos, frase) in casos {
            let mut vistas = certas();
            vistas.conversa.consultas[1].resposta = resposta.map(String::from);
            let conferencias = protocolo(&vistas, 10);
            valem(&conferencias, &[0.2, pontos, 0.6, 0.6]);
            assert!(conferencias[1].viu.contains(frase), "{}", conferencias[1].viu);
        }
        let mut vistas = certas();
        vistas.conversa.recusas[0].resposta = None;
        vistas.conversa.recusas[0].demora = PRAZO;
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.6, 0.0]);
        assert_eq!(conferencias[3].viu, "ficou sem resposta em 3,00 s");
    }

    #[test]
    fn o_estoque_inicial_e_os_numeros_que_nao_batem_tem_o_seu_preco() {
        let mut vistas = certas();
        valem(&protocolo(&vistas, 5), &[0.0, 0.6, 0.6, 0.6]);
        vistas.conversa.contradicao = Some(violacao(Regra::VendaRepetida));
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.2, 0.6, 0.0, 0.6]);
        assert!(conferencias[2].viu.contains("os números não batem: a mesma unidade"));
        vistas.conversa = Conversa::default();
        let conferencias = protocolo(&vistas, 10);
        valem(&conferencias, &[0.0; 4]);
        assert_eq!(
            (&*conferencias[0].viu, &*conferencias[3].viu),
            ("não se entendeu", "não se chegou a ver")
        );
    }

    #[test]
    fn o_texto_de_um_desconhecido_vem_curto_e_sem_controle() {
        let mut vistas = certas();
        vistas.conversa.consultas[0].resposta = Some(format!("\u{1b}[2J{}", "x".repeat(500)));
        let viu = &protocolo(&vistas, 10)[1].viu;
        assert!(viu.contains(r"\u{1b}[2Jxxx") && viu.len() < 200, "{viu}");
    }

    #[test]
    fn cair_de_um_jeito_custa_a_robustez_inteira() {
        for passaram in [[false, true, true], [true, false, true], [true, true, false]] {
            let vistas = Evidencias { robustez: provocacoes(passaram), ..certas() };
            let conferencias = robustez(&vistas);
            valem(&conferencias, &[0.0; 3]);
            for (conferencia, passou) in conferencias.iter().zip(passaram) {
                assert_eq!(conferencia.viu == "caiu", !passou);
                assert_eq!(conferencia.viu.contains("não sobrevive a outra prova"), passou);
            }
        }
        valem(&robustez(&certas()), &[0.5, 0.25, 0.25]);
    }

    #[test]
    fn o_log_pede_hora_ip_e_porta_em_uma_linha_por_comando() {
        use Estado::{Cumprido, EmParte, NaoCumprido};
        let casos = [
            ("[2026-02-24 14:05:09.123] 127.0.0.1:54321 COMPRAR", Cumprido),
            ("14:05:09 ('127.0.0.1', 54321) COMPRAR", Cumprido),
            ("Tue Feb 24 9:05:09 2026 ::1 54321", Cumprido),
            ("1771941909.12 localhost:54321", Cumprido),
            ("1771941909123 127.0.0.1:54321", Cumprido),
            ("127.0.0.1:54321 COMPRAR", EmParte),
            ("[140383323850432] 127.0.0.1:54321", EmParte),
            ("tel. 9999999999 127.0.0.1:54321", EmParte),
            ("2026-02-24 127.0.0.1:54321", EmParte),
            ("14:05 127.0.0.1:54321", EmParte),
            ("14:05:09 54321 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1 COMPRAR", NaoCumprido),
            ("14:05:09 127.0.0.1:154321 COMPRAR", NaoCumprido),
            ("14:05:09.543217 127.0.0.1:40000", NaoCumprido),
            ("", NaoCumprido),
        ];
        for (linha, esperado) in casos {
            let mut vistas = certas();
            vistas.conversa.console =
                Some(format!("Conectado\n{}", format!("{linha}\n").repeat(13)));
            assert_eq!(log(&vistas).estado, esperado, "{linha}");
            // Doze linhas não são uma para cada um dos treze comandos.
            vistas.conversa.console = Some(format!("{linha}\n").repeat(12));
            assert_eq!(log(&vistas).estado, NaoCumprido, "{linha}");
        }
        let mut vistas = certas();
        vistas.conversa.console = None;
        assert_eq!(log(&vistas).estado, Estado::NaoAvaliado);
        vistas.conversa =
            Conversa { portas: vec![1], console: Some("1".into()), ..Conversa::default() };
        assert_eq!(log(&vistas).estado, NaoCumprido, "nenhum comando não é um log");
    }

    #[test]
    fn o_broadcast_vai_a_todos_ou_a_todos_menos_o_comprador_e_em_ordem() {
        use Estado::{Cumprido, EmParte, NaoAvaliado, NaoCumprido};
        let todos = || Ouvintes { conectados: 50, ouviram: 50, ..Ouvintes::default() };
        let palavras = Some("AVISO: acabou\u{7}".to_owned());
        let casos = [
            (todos(), Cumprido, "chegou a 50 de 50"),
            (Ouvintes { outras_palavras: palavras, ..todos() }, Cumprido, r"'AVISO: acabou\u{7}'"),
            (Ouvintes { ouviram: 49, menos_o_comprador: true, ..todos() }, Cumprido, "49 de 50"),
            (Ouvintes { ouviram: 49, ..todos() }, EmParte, "49 de 50"),
            (Ouvintes { desordem: Some("repetiu".into()), ..todos() }, EmParte, "; mas repetiu"),
            (Ouvintes { ouviram: 1, so_o_comprador: true, ..todos() }, NaoCumprido, "só chegou"),
            (Ouvintes { ouviram: 0, ..todos() }, NaoCumprido, "não chegou a ninguém"),
            (Ouvintes::default(), NaoCumprido, "não chegou a ninguém"),
        ];
        for (aviso, estado, frase) in casos {
            let extra = broadcast(&Evidencias { aviso, ..certas() });
            assert_eq!(extra.estado, estado, "{}", extra.viu);
            assert!(extra.viu.contains(frase), "{}", extra.viu);
        }
        let mut vistas = certas();
        vistas.rodadas[0].vendas = 0;
        assert_eq!(broadcast(&vistas).estado, NaoAvaliado);
    }
}
